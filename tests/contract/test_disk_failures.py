"""A disk that is full, read-only or failing: writes say why, reads go on, and all is well afterwards."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

from stores import embedded
from stores.backends.sqlite.file import SqliteFile
from stores.backends.sqlite.rows import FORMAT
from stores.contracts.document_store import DocumentStore
from stores.contracts.documents import Collection
from stores.contracts.errors import Unavailable
from stores.contracts.samples import Point
from stores.contracts.series import WritableSeriesStore
from stores.opening import open_documents, open_series
from tests.contract.small_disk import SmallDisk, small_disk

pytestmark = pytest.mark.slow

ITEMS = Collection("items")
Stores = tuple[DocumentStore, WritableSeriesStore]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk") as disk:
        yield disk


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Stores]:
    """Both stores as a server opens them, with its lock and its keys."""
    unlock = embedded.lock_folder(folder)
    documents, series = open_documents(None, data=folder), open_series(None, data=folder)
    assert isinstance(series, WritableSeriesStore)
    embedded.open_cipher([], None, data=folder, embedded=True)
    try:
        yield documents, series
    finally:
        await documents.close()
        await series.close()
        unlock()


async def write(stores: Stores, name: str) -> None:
    documents, series = stores
    await documents.database("t").insert(ITEMS, {"_id": name, "body": b"x" * 20_000})
    await series.write("d", [Point("m", (("tag", name),), {"value": 1}, time) for time in range(1000)])


async def read(stores: Stores) -> list[str]:
    documents, series = stores
    assert await series.database("d").catalogue() == {"m": {"value": "integer"}}
    return [item["_id"] for item in await documents.database("t").find(ITEMS)]


async def fail_to_write(stores: Stores, reason: str) -> None:
    documents, series = stores
    for _ in range(2):
        with pytest.raises(Unavailable) as raised:
            await documents.database("t").insert(ITEMS, {"_id": "lost", "body": b"x" * 300_000})
        assert raised.value.message == f"documents.db: {reason}"
        assert raised.value.extensions["outcome"] == "NOT_APPLIED"
        points = [Point("m", (("tag", "lost"),), {"value": n}, n) for n in range(30_000)]
        with pytest.raises(Unavailable) as raised:
            await series.write("d", points)
        assert raised.value.message == f"series.db: {reason}"
        for store in stores:
            with pytest.raises(Unavailable, match=reason):
                await store.check_writes()


async def test_a_full_disk_costs_writes_only_also_after_a_restart(disk: SmallDisk) -> None:
    async with opened(disk.path) as stores:
        await write(stores, "first")
        disk.fill()
        await fail_to_write(stores, "the disk is full")
        assert await read(stores) == ["first"]
    async with opened(disk.path) as stores:
        assert await read(stores) == ["first"]
        await fail_to_write(stores, "the disk is full")
        assert await read(stores) == ["first"]
        disk.free()
        await write(stores, "second")
        assert await read(stores) == ["first", "second"]
        for store in stores:
            await store.check_writes()
    assert list(embedded.check(disk.path, None, None, lambda *_: None)) == []


async def test_a_read_only_disk_costs_writes_only_until_it_is_writable(disk: SmallDisk) -> None:
    async with opened(disk.path) as stores:
        await write(stores, "first")
    disk.remount("ro")
    async with opened(disk.path) as stores:
        assert await read(stores) == ["first"]
        await fail_to_write(stores, "the file is read-only")
        disk.remount("rw")
        await write(stores, "second")
        assert await read(stores) == ["first", "second"]
        for store in stores:
            await store.check_writes()


@pytest.mark.parametrize("is_read_only", [False, True])
async def test_files_of_an_earlier_version_are_read_on_a_disk_without_room(
    disk: SmallDisk, is_read_only: bool
) -> None:
    """Earlier versions deleted the files of the log when they stopped."""
    async with opened(disk.path) as stores:
        await write(stores, "first")
    (disk.path / "sync-gateway.json").unlink()
    for name in ("documents.db", "series.db"):
        db = apsw.Connection(str(disk.path / name))
        db.pragma("application_id", 0)
        db.close()
        for suffix in ("-wal", "-shm"):
            (disk.path / f"{name}{suffix}").unlink(missing_ok=True)
    if is_read_only:
        disk.remount("ro")
    else:
        disk.fill()
    async with opened(disk.path) as stores:
        assert await read(stores) == ["first"]
        await fail_to_write(stores, "the file is read-only" if is_read_only else "the disk is full")
        assert await read(stores) == ["first"]
        if is_read_only:
            disk.remount("rw")
        else:
            disk.free()
        await write(stores, "second")
        assert await read(stores) == ["first", "second"]


def test_a_backup_to_a_full_disk_leaves_nothing(disk: SmallDisk, tmp_path: Path) -> None:
    data = tmp_path / "data"
    db = apsw.Connection(str(embedded_file(data)))
    db.execute("INSERT INTO documents (collection, id, body) VALUES (1, 'a', zeroblob(8000000))")
    db.close()
    with pytest.raises(Unavailable, match="the disk is full"):
        embedded.make_backup(data, None, None, disk.path / "backup", lambda *_: None)
    assert list(disk.path.iterdir()) == []


def embedded_file(data: Path) -> Path:
    open_documents(None, data=data)
    return data / "documents.db"


async def test_a_file_at_its_limit_is_like_a_full_disk(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "documents.db", FORMAT, name="document store", readers=1, cache_kib=1024)
    insert = "INSERT INTO documents (collection, id, body) VALUES (1, ?, zeroblob(200000))"

    def write_beyond(db: apsw.Connection) -> None:
        db.pragma("max_page_count", db.pragma("page_count") + 60)
        db.execute(insert, ("a",))
        db.execute(insert, ("b",))

    with pytest.raises(Unavailable, match="the disk is full"):
        await file.write(write_beyond)
    assert await file.read(lambda db: db.execute("SELECT count(*) FROM documents").get) == 0
    await file.write(lambda db: db.execute(insert, ("c",)).get)
    assert await file.read(lambda db: db.execute("SELECT id FROM documents").get) == "c"
    await file.close()


LIMITED = """
import asyncio, json, resource, sys
from pathlib import Path
from stores.contracts.documents import Collection
from stores.contracts.errors import Unavailable
from stores.opening import open_documents

async def main():
    items = Collection("items")
    store = open_documents(None, data=Path(sys.argv[1]))
    documents = store.database("t")
    messages = []
    await documents.insert(items, {"_id": "first", "body": b"x" * 20_000})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    for name in ("a", "b"):
        try:
            await documents.insert(items, {"_id": name, "body": b"x" * 200_000})
        except Unavailable as error:
            messages.append(error.message)
    messages.append([item["_id"] for item in await documents.find(items)])
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await documents.insert(items, {"_id": "c", "body": b"x" * 200_000})
    messages.append([item["_id"] for item in await documents.find(items)])
    await store.close()
    print(json.dumps(messages))

asyncio.run(main())
"""


def test_a_write_that_the_system_refuses_is_not_applied(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    messages: list[Any] = json.loads(done.stdout)
    first, second, before, after = messages
    assert first == second
    assert first.startswith("documents.db: ")
    assert "may write" in first
    assert (before, after) == (["first"], ["c", "first"])
