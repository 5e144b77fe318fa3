"""What both embedded stores promise of their file: no statement outlives its call, and waiting is bounded."""

import asyncio
import threading
import weakref
from pathlib import Path
from typing import Any

import apsw
import pytest
from bson import ObjectId

from stores.backends.sqlite import failures
from stores.backends.sqlite.documents import SqliteDocumentStore
from stores.backends.sqlite.file import MAX_WAITING, SqliteFile
from stores.backends.sqlite.rows import FORMAT
from stores.contracts.documents import Collection, Unique
from stores.contracts.errors import Conflict, Unavailable
from stores.wrappers.deadline import Deadline
from stores.wrappers.documents import WrappedDocumentStore

USERS = Collection("users", unique=(Unique(("email",)),))
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def user(email: str, **fields: Any) -> dict[str, Any]:
    return {"_id": ObjectId(), "email": email, **fields}


def open_file(path: Path) -> SqliteFile:
    return SqliteFile(path, FORMAT, name="document store", readers=2, cache_kib=1024)


async def test_another_process_writes_after_a_conflict(tmp_path: Path) -> None:
    first, second = (SqliteDocumentStore(tmp_path / "documents.db") for _ in range(2))
    users = first.database("t")
    await users.insert(USERS, user("a"))
    with pytest.raises(Conflict):
        await users.insert(USERS, user("a"))
    await second.database("t").insert(USERS, user("b"))
    await users.insert(USERS, user("c"))
    assert await users.count([USERS]) == [3]
    await first.close()
    await second.close()


async def test_the_write_ahead_log_is_bounded_after_conflicts(tmp_path: Path) -> None:
    store = SqliteDocumentStore(tmp_path / "documents.db")
    users = store.database("t")
    await users.insert(USERS, user("taken"))
    for _ in range(500):
        with pytest.raises(Conflict):
            await users.insert(USERS, user("taken"))
    for number in range(500):
        await users.insert(USERS, user(str(number), body=b"x" * 20_000))
    log = tmp_path / "documents.db-wal"
    assert log.stat().st_size < 2 * FORMAT.checkpoint_pages * 4096
    await store.close()


@pytest.mark.parametrize("write", [False, True])
async def test_a_statement_that_is_left_open_ends_with_its_call(tmp_path: Path, write: bool) -> None:
    file = open_file(tmp_path / "documents.db")
    leaked = []

    def leave_open(db: apsw.Connection) -> None:
        cursor = db.execute("SELECT * FROM sqlite_schema")
        leaked.append((cursor, next(cursor)))

    for _ in range(3):
        await (file.write(leave_open) if write else file.read(leave_open))
    other = apsw.Connection(str(tmp_path / "documents.db"))
    assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0][0] == 0
    other.close()
    await file.close()


async def test_an_interrupted_read_leaves_no_transaction(tmp_path: Path) -> None:
    file = open_file(tmp_path / "documents.db")
    states = []
    for _ in range(4):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await file.read(lambda db: db.execute(ENDLESS).get)
        states += [await file.read(lambda db: db.execute("SELECT 1").get) for _ in range(4)]
    assert states == [1] * 16
    await file.close()


async def test_a_failed_commit_leaves_no_transaction(tmp_path: Path) -> None:
    file = open_file(tmp_path / "documents.db")

    def fail_at_commit(db: apsw.Connection) -> None:
        db.execute("INSERT INTO collections (database, name) VALUES ('t', 'c')")
        db.set_commit_hook(lambda: True)  # turns the commit into a rollback

    with pytest.raises(apsw.ConstraintError):
        await file.write(fail_at_commit)
    await file.write(lambda db: db.set_commit_hook(None))
    assert await file.read(lambda db: db.execute("SELECT count(*) FROM collections").get) == 0
    await file.write(lambda db: db.execute("INSERT INTO collections (database, name) VALUES ('t', 'c')").get)
    assert await file.read(lambda db: db.execute("SELECT count(*) FROM collections").get) == 1
    await file.close()


@pytest.mark.slow
async def test_writes_behind_a_foreign_lock_share_one_deadline_and_reads_go_on(tmp_path: Path) -> None:
    store = WrappedDocumentStore(
        SqliteDocumentStore(tmp_path / "documents.db"), Deadline("document store", 1.0)
    )
    users = store.database("t")
    await users.insert(USERS, user("before"))
    foreign = apsw.Connection(str(tmp_path / "documents.db"))
    foreign.execute("BEGIN IMMEDIATE")
    loop = asyncio.get_running_loop()
    began = loop.time()
    writes = [asyncio.create_task(users.insert(USERS, user(str(n)))) for n in range(6)]
    assert await users.count([USERS]) == [1]
    assert not any(write.done() for write in writes)
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert all(isinstance(result, Unavailable) for result in results)
    assert loop.time() - began < 5  # six deadlines one after the other are six
    foreign.execute("COMMIT")
    foreign.close()
    await users.insert(USERS, user("after"))
    assert await users.count([USERS]) == [2]
    await store.close()


async def test_a_call_beyond_the_queue_is_refused_at_once(tmp_path: Path) -> None:
    file = open_file(tmp_path / "documents.db")
    blocked = threading.Event()

    def insert(db: apsw.Connection) -> None:
        blocked.wait()

    writes = [asyncio.create_task(file.write(insert)) for _ in range(MAX_WAITING + 10)]
    done, waiting = await asyncio.wait(writes, return_when=asyncio.FIRST_COMPLETED)
    assert 0 < len(done) <= 10
    assert all("overloaded" in str(write.exception()) for write in done)
    assert len(waiting) >= MAX_WAITING
    blocked.set()
    await asyncio.gather(*waiting)
    await file.close()


async def test_a_cancelled_write_is_rolled_back_and_one_that_waits_is_never_done(tmp_path: Path) -> None:
    file = open_file(tmp_path / "documents.db")
    began, release = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def insert(name: str, db: apsw.Connection) -> None:
        db.execute("INSERT INTO collections (database, name) VALUES ('t', ?)", (name,))
        loop.call_soon_threadsafe(began.set)
        release.wait()

    running = asyncio.create_task(file.write(lambda db: insert("running", db)))
    await began.wait()
    waiting = asyncio.create_task(file.write(lambda db: insert("waiting", db)))
    await asyncio.sleep(0)
    for write in (running, waiting):
        write.cancel()
    await asyncio.wait([running, waiting])
    release.set()
    await file.write(lambda db: insert("after", db))
    names = await file.read(lambda db: db.execute("SELECT name FROM collections").fetchall())
    assert names == [("after",)]
    await file.close()


async def test_the_probe_of_writes_leaves_nothing_and_fails_behind_a_lock(tmp_path: Path) -> None:
    file = open_file(tmp_path / "documents.db")
    await file.check_writes()
    log = (tmp_path / "documents.db-wal").stat().st_size
    for _ in range(3):
        await file.check_writes()
    assert (tmp_path / "documents.db-wal").stat().st_size == log
    assert (
        await file.read(lambda db: db.execute("SELECT count(*) FROM sqlite_schema WHERE name='probe'").get)
        == 0
    )
    foreign = apsw.Connection(str(tmp_path / "documents.db"))
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await file.check_writes()
    foreign.close()
    await file.check_writes()
    await file.close()


def test_every_error_of_apsw_is_mapped_or_listed_with_a_reason() -> None:
    errors = {
        error
        for error in vars(apsw).values()
        if isinstance(error, type) and issubclass(error, apsw.Error) and error is not apsw.Error
    }
    assert failures.REASONS.keys() | failures.UNEXPECTED.keys() == errors
    assert not failures.REASONS.keys() & failures.UNEXPECTED.keys()
    for error in failures.REASONS:
        unavailable = failures.to_unavailable(Path("/data/documents.db"), error("secret detail"))
        assert str(unavailable).startswith("documents.db: ")
        assert "secret detail" not in str(unavailable)


def test_a_commit_that_the_disk_did_not_confirm_has_an_unknown_outcome() -> None:
    error = apsw.IOError("disk I/O error")
    assert "outcome" not in failures.to_unavailable(Path("documents.db"), error).extensions
    vars(error)["extendedresult"] = apsw.SQLITE_IOERR_FSYNC
    assert failures.to_unavailable(Path("documents.db"), error).extensions["outcome"] == "UNKNOWN"


class Result:
    """What a read returns."""


async def test_the_result_of_a_read_is_not_kept_by_its_thread(tmp_path: Path) -> None:
    file = open_file(tmp_path / "documents.db")
    result = weakref.ref(await file.read(lambda db: Result()))
    async with asyncio.timeout(60):
        while result() is not None:  # noqa: ASYNC110 - until the thread has come to the end of the call
            await asyncio.sleep(0.005)
    await file.close()
