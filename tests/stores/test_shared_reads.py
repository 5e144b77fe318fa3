"""Equal reads at the same time: how many are made, and that nobody gets data from before its own call."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from stores.contracts.documents import Query
from stores.contracts.errors import Unavailable
from stores.entities.organizations import Organization
from stores.opening import open_documents
from stores.wrappers.counting import CallCounter
from stores.wrappers.shared_reads import MAX_WAIT_S, ReadsInTurn, SharedReadsStore

CONFIG = Organization.collection_of()
Read = Callable[[], Coroutine[Any, Any, int]]


class Source:
    """A value that changes. A read takes what it is when it begins, and returns when it is let go."""

    def __init__(self) -> None:
        self.value = self.reads = 0
        self.gates: list[asyncio.Event] = []
        self.error: Exception | None = None

    async def read(self) -> int:
        value, gate = self.value, asyncio.Event()
        self.reads += 1
        self.gates.append(gate)
        await gate.wait()
        if self.error is not None:
            raise self.error
        return value


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_reads_that_wait_share_one_that_begins_after_all_of_them() -> None:
    reads, source = ReadsInTurn(), Source()
    first = asyncio.create_task(reads.run("k", source.read))
    await turn()
    source.value = 1  # written before the others come
    others = [asyncio.create_task(reads.run("k", source.read)) for _ in range(10)]
    await turn()
    assert source.reads == 1
    source.gates[0].set()
    await turn()
    source.value = 2  # they have begun: who comes now must not share theirs
    last = asyncio.create_task(reads.run("k", source.read))
    await turn()
    source.gates[1].set()
    await turn()
    source.gates[2].set()
    assert (await first, await asyncio.gather(*others), await last) == (0, [1] * 10, 2)
    assert source.reads == 3


async def test_reads_of_other_keys_do_not_wait() -> None:
    reads, source = ReadsInTurn(), Source()
    tasks = [asyncio.create_task(reads.run(key, source.read)) for key in ("a", "b")]
    await turn()
    assert source.reads == 2
    for gate in source.gates:
        gate.set()
    assert await asyncio.gather(*tasks) == [0, 0]


async def test_a_slow_read_holds_up_equal_ones_only_for_a_moment() -> None:
    reads, source = ReadsInTurn(), Source()
    slow = asyncio.create_task(reads.run("k", source.read))
    await turn()
    second = asyncio.create_task(reads.run("k", source.read))
    await asyncio.sleep(2 * MAX_WAIT_S)
    source.gates[1].set()
    assert await second == 0
    assert not slow.done()
    source.gates[0].set()
    assert await slow == 0


async def test_whoever_leaves_leaves_the_others_their_read() -> None:
    reads, source = ReadsInTurn(), Source()
    tasks = [asyncio.create_task(reads.run("k", source.read)) for _ in range(4)]
    await turn()
    tasks[0].cancel()  # the read that runs
    tasks[1].cancel()  # the first one that waits
    await turn()
    assert source.reads == 2
    source.gates[1].set()
    assert await asyncio.gather(*tasks[2:]) == [0, 0]
    alone = asyncio.create_task(reads.run("k", source.read))
    await turn()
    waiting = asyncio.create_task(reads.run("k", source.read))
    await turn()
    waiting.cancel()  # nobody is left who waits: its read is never made
    await turn()
    source.gates[2].set()
    await alone
    later = asyncio.create_task(reads.run("k", source.read))
    await turn()
    source.gates[3].set()
    assert await later == 0
    assert source.reads == 4


async def test_a_read_that_fails_fails_for_those_that_share_it() -> None:
    reads, source = ReadsInTurn(), Source()
    source.error = Unavailable("away")
    tasks = [asyncio.create_task(reads.run("k", source.read)) for _ in range(3)]
    await turn()
    source.gates[0].set()
    await turn()
    source.gates[1].set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 3
    source.error = None
    again = asyncio.create_task(reads.run("k", source.read))
    await turn()
    source.gates[2].set()
    assert await again == 0


async def test_a_store_counts_and_finds_once_for_those_that_wait(tmp_path: Path) -> None:
    counter = CallCounter()
    store = SharedReadsStore(open_documents(None, data=tmp_path), counter)
    collections = [("plant", CONFIG)]
    await store.database("plant").upsert(CONFIG, [{"_id": 1, "key": "organization"}])
    pages = await asyncio.gather(*(store.find_across(collections, Query()) for _ in range(20)))
    counts = await asyncio.gather(*(store.count_across(collections) for _ in range(20)))
    assert pages == [[[{"_id": 1, "key": "organization"}]]] * 20
    assert counts == [[1]] * 20
    assert counter.calls == ["upsert config", *["find config"] * 2, *["count config"] * 2]
    await store.close()
