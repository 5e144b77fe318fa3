"""The embedded store against a dict: random operations, the same answers, and files that survive a kill."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from stores.backends.sqlite.documents import SqliteDocumentStore
from stores.contracts.documents import Change, Document, Order, Query, equals
from stores.contracts.errors import Conflict
from stores.contracts.ordering import get_order_value, order_key
from stores.entities.devices import Device
from tests.randomized import example_settings

DEVICES = Device.collection_of("model")
names = st.sampled_from(["a", "b", "B", "ñ", "", 1, 1.5, True, None]) | st.text(max_size=3)
machine_ids = st.sampled_from(["M1", "M2", "M3", "M4"])
bodies = st.fixed_dictionaries({}, optional={"name": names, "connectors": st.lists(names, max_size=2)})


class Model(RuleBasedStateMachine):
    """`stored` is what the store must hold, by id, in the order of ids."""

    ids = Bundle("ids")

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.open()
        self.stored: dict[ObjectId, Document] = {}

    def open(self) -> None:
        self.store = SqliteDocumentStore(Path(self.folder.name) / "documents.db")
        self.documents = self.store.database("tenant")

    def teardown(self) -> None:
        self.runner.run(self.store.close())
        self.runner.close()
        self.folder.cleanup()

    @rule(target=ids, machine=machine_ids, body=bodies)
    def insert(self, machine: str, body: dict[str, Any]) -> ObjectId:
        document = {"_id": ObjectId(), "machineId": machine, **body}
        taken = any(document["machineId"] == machine for document in self.stored.values())
        try:
            self.runner.run(self.documents.insert(DEVICES, document))
        except Conflict:
            assert taken
        else:
            assert not taken
            self.stored[document["_id"]] = document
        return ObjectId(document["_id"])

    @rule(id_=ids, name=names)
    def update(self, id_: ObjectId, name: Any) -> None:
        change = Change(set={("name",): name})
        changed = self.runner.run(self.documents.update(DEVICES, [equals("_id", id_)], change))
        if id_ in self.stored:
            self.stored[id_] = {**self.stored[id_], "name": name}
        assert changed == self.stored.get(id_)

    @rule(id_=ids)
    def delete(self, id_: ObjectId) -> None:
        is_deleted = self.runner.run(self.documents.delete(DEVICES, [equals("_id", id_)]))
        assert is_deleted == (self.stored.pop(id_, None) is not None)

    @rule()
    def reopen(self) -> None:
        self.runner.run(self.store.close())
        self.open()

    @rule(name=names)
    def find_by_name(self, name: Any) -> None:
        documents = self.runner.run(self.documents.find(DEVICES, Query(where=(equals("name", name),))))
        expected = [d for d in self.stored.values() if order_key(d.get("name")) == order_key(name)]
        assert documents == expected

    @rule(descending=st.booleans(), limit=st.integers(1, 3))
    def page_by_name(self, descending: bool, limit: int) -> None:
        order, documents, after = Order(("name",), descending), [], None
        while True:
            query = Query(order=order, after=after, limit=limit)
            page = self.runner.run(self.documents.find(DEVICES, query))
            if not page:
                break
            documents += page
            after = (get_order_value(page[-1], order.path), page[-1]["_id"])
        expected = sorted(
            self.stored.values(), key=lambda d: (order_key(d.get("name")), d["_id"]), reverse=descending
        )
        assert documents == expected

    @invariant()
    def everything_is_kept(self) -> None:
        if hasattr(self, "stored"):
            assert self.runner.run(self.documents.find(DEVICES)) == list(self.stored.values())


TestModel = Model.TestCase
TestModel.settings = example_settings(15, stateful_step_count=20)
pytest.mark.randomized(TestModel)

WRITER = """
import asyncio, sys
from pathlib import Path
from bson import ObjectId
from stores.backends.sqlite.documents import SqliteDocumentStore
from stores.entities.devices import Device

async def main():
    documents = SqliteDocumentStore(Path(sys.argv[1])).database("tenant")
    for number in range(1_000_000):
        await documents.insert(Device.collection_of("model"), {"_id": ObjectId(), "machineId": f"M{number}"})
        print(number, flush=True)

asyncio.run(main())
"""


def killed_while_writing(path: Path) -> list[int]:
    """The numbers of the documents that a process had acknowledged when it was killed."""
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.3)
        os.kill(writer.pid, signal.SIGKILL)
        return [int(line) for line in writer.stdout.read().split()]


@pytest.mark.slow
async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "documents.db"
    acknowledged = await asyncio.to_thread(killed_while_writing, path)
    store = SqliteDocumentStore(path)
    documents = store.database("tenant")
    devices = await documents.find(DEVICES)
    assert len(devices) >= acknowledged[-1] + 1
    assert [device["machineId"] for device in devices] == [f"M{i}" for i in range(len(devices))]
    await documents.insert(DEVICES, {"_id": ObjectId(), "machineId": "after"})
    await store.close()
