"""Backups of the embedded stores: consistent while they are written to, whole or not there, and put back."""

import asyncio
import os
from pathlib import Path
from typing import Any

import apsw
import pytest
from bson import ObjectId

from stores import embedded
from stores.contracts.documents import Change, Collection, UpdateOne, equals
from stores.contracts.errors import BadUserInput, Unavailable
from stores.contracts.samples import END_OF_TIME, MACHINE, Point
from stores.contracts.series import WritableSeriesStore
from stores.contracts.series_queries import Source, SourceQuery
from stores.opening import open_documents, open_series

PAIRS = Collection("pairs")
OLDER = [("a", 1), ("b", 1)]


def ignore(description: str, done: int, total: int) -> None:
    pass


def make_backup(data: Path, target: Path, progress: Any = ignore) -> list[str]:
    return embedded.make_backup(data, None, None, target, progress)


def restore(data: Path, source: Path) -> list[Path]:
    return embedded.restore(data, None, None, source, ignore)


async def fill(data: Path, value: int = 1) -> None:
    """Two documents that are always changed together, a point, a key and an icon."""
    embedded.open_cipher([], None, data=data, embedded=True)
    store, series = open_documents(None, data=data), open_series(None, data=data)
    documents = [{"_id": name, "value": value, "body": b"x" * 100_000} for name in "ab"]
    await store.database("t").upsert(PAIRS, documents)
    await store.database("t").upsert(PAIRS, [{"_id": ObjectId(), "body": b"y" * 100_000} for _ in range(100)])
    assert isinstance(series, WritableSeriesStore)
    await series.write("d", [Point("state", ((MACHINE, "M1"),), {"power": True}, 1)])
    await store.close()
    await series.close()
    icons = data / "icons" / "drivers"
    icons.mkdir(parents=True, exist_ok=True)
    (icons / "own.svg").write_text("<svg/>")


async def read(data: Path) -> tuple[list[tuple[str, int]], int | None]:
    store, series = open_documents(None, data=data), open_series(None, data=data)
    pairs = [(d["_id"], d["value"]) for d in await store.database("t").find(PAIRS) if "value" in d]
    query = SourceQuery([Source("state", "power")], None, -END_OF_TIME, END_OF_TIME)
    counts = await series.database("d").counts(query)
    await store.close()
    await series.close()
    return pairs, counts[None]


async def test_a_backup_of_a_store_in_use_is_one_state_of_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    await fill(data)
    store = open_documents(None, data=data)
    steps = []

    async def write_on() -> None:
        for value in range(2, 10_000):
            change = Change(set={("value",): value})
            await store.database("t").write_all(
                [UpdateOne(PAIRS, [equals("_id", name)], change) for name in "ab"]
            )

    writing = asyncio.create_task(write_on())
    names = await asyncio.to_thread(make_backup, data, tmp_path / "backup", lambda *step: steps.append(step))
    assert not writing.done()
    writing.cancel()
    await asyncio.wait([writing])
    await store.close()
    assert names == ["documents.db", "series.db", "secrets.key", "sync-gateway.json", "icons"]
    assert steps[-1][1] == steps[-1][2]
    assert len({name for name, _, _ in steps}) >= 4
    await fill(tmp_path / "elsewhere", 0)
    moved = restore(tmp_path / "elsewhere", tmp_path / "backup")
    assert {path.name.partition(".replaced")[0] for path in moved} >= {"documents.db", "icons", "secrets.key"}
    [(a, backup_files), (b, restored_files)], count = await read(tmp_path / "elsewhere")
    assert (a, b, count) == ("a", "b", 1)
    assert backup_files == restored_files
    assert (tmp_path / "elsewhere" / "secrets.key").read_bytes() == (data / "secrets.key").read_bytes()
    assert (tmp_path / "elsewhere" / "secrets.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "elsewhere" / "icons" / "drivers" / "own.svg").read_text() == "<svg/>"
    embedded.open_cipher([], None, data=tmp_path / "elsewhere", embedded=True)


async def test_a_backup_is_restored_in_the_place_of_lost_files(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup"
    await fill(data)
    make_backup(data, backup)
    (data / "documents.db").write_bytes(b"")
    (data / "secrets.key").unlink()
    restore(data, backup)
    assert await read(data) == (OLDER, 1)


async def test_an_older_backup_does_not_open_a_gateway_that_had_keys(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup"
    await fill(data)
    make_backup(data, backup)
    restore(data, backup)
    assert not embedded.has_had_api_keys(data)
    embedded.record_api_keys(data)
    restore(data, backup)
    assert embedded.has_had_api_keys(data)
    (data / "sync-gateway.json").write_text("damaged")
    restore(data, backup)
    assert embedded.has_had_api_keys(data)


async def test_a_restore_is_refused_while_a_server_runs(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup"
    await fill(data)
    make_backup(data, backup)
    unlock = embedded.lock_folder(data)
    with pytest.raises(Unavailable, match="Stop it first"):
        restore(data, backup)
    unlock()
    restore(data, backup)


async def test_a_backup_goes_to_a_new_folder_only(tmp_path: Path) -> None:
    data = tmp_path / "data"
    await fill(data)
    (tmp_path / "empty").mkdir()
    make_backup(data, tmp_path / "empty")
    with pytest.raises(BadUserInput, match="not empty"):
        make_backup(data, tmp_path / "empty")
    (tmp_path / "link").symlink_to(data)
    for inside in (data / "backup", data / "icons" / "backup", tmp_path / "link" / "backup"):
        with pytest.raises(BadUserInput, match="inside of"):
            make_backup(data, inside)
    with pytest.raises(BadUserInput, match="nothing to back up"):
        make_backup(tmp_path / "none", tmp_path / "backup")


@pytest.mark.parametrize("name", ["documents.db", "series.db"])
async def test_a_backup_that_fails_leaves_nothing(tmp_path: Path, name: str) -> None:
    data = tmp_path / "data"
    await fill(data)
    (data / name).unlink()
    with pytest.raises(Unavailable, match="is missing"):
        make_backup(data, tmp_path / "backup")
    assert os.listdir(tmp_path) == ["data"]


async def test_a_damaged_or_partial_backup_changes_nothing(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup"
    await fill(data)
    make_backup(data, backup)
    content = (backup / "documents.db").read_bytes()
    for damaged in (b"", b"garbage" * 1000, content[: len(content) // 2]):
        (backup / "documents.db").write_bytes(damaged)
        with pytest.raises(BadUserInput, match=r"documents\.db"):
            restore(data, backup)
    (backup / "documents.db").unlink()
    with pytest.raises(BadUserInput, match=r"documents\.db is missing"):
        restore(data, backup)
    with pytest.raises(BadUserInput, match="is not a backup"):
        restore(data, tmp_path)
    assert await read(data) == (OLDER, 1)
    assert not list(data.glob("*restored*")) + list(data.glob("*replaced*"))


async def test_a_check_names_what_is_damaged(tmp_path: Path) -> None:
    data = tmp_path / "data"
    await fill(data)
    assert list(embedded.check(data, None, None, ignore)) == []
    db = apsw.Connection(str(data / "documents.db"))
    document_id = db.execute("SELECT id FROM documents WHERE number = 50").get[1:].hex()
    db.execute("UPDATE documents SET body = x'00' WHERE number IN (1, 50)")
    db.close()
    first, second = embedded.check(data, None, None, ignore)
    assert "t.pairs: the document 'a' in row 1 is damaged" in first
    assert f"t.pairs: the document {document_id} in row 50 is damaged" in second
    content = bytearray((data / "series.db").read_bytes())
    content[4096 * 3 : 4096 * 4] = b"\xff" * 4096
    (data / "series.db").write_bytes(content)
    faults = list(embedded.check(data, None, None, ignore))
    assert any(str(data / "series.db") in fault for fault in faults)
    (data / "series.db").unlink()
    assert any("series.db is missing" in fault for fault in embedded.check(data, None, None, ignore))
