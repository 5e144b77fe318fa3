"""The folder of the embedded stores: what is lost or foreign is refused, and never replaced in silence."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import apsw
import pytest
from bson import ObjectId

from stores.contracts.errors import BadUserInput, Unavailable
from stores.embedded import add_folder_key, lock_folder, open_cipher, start_anew
from stores.entities.cipher import SecretCipher
from stores.entities.services import Service
from stores.opening import open_documents, open_series

SERVICES = Service.collection_of()
DATABASES = ("documents.db", "series.db")


async def fill(folder: Path) -> None:
    """A folder with a service whose secret is encrypted, and an empty file of series."""
    cipher = open_cipher([], None, data=folder, embedded=True)
    store = open_documents(None, data=folder)
    service = {"_id": ObjectId(), "name": "s", "configuration": cipher.encrypt({"password": "demo-only"})}
    await store.database(store.default).insert(SERVICES, service)
    await store.close()
    await open_series(None, data=folder).close()


async def open_all(folder: Path) -> SecretCipher:
    await open_documents(None, data=folder).close()
    await open_series(None, data=folder).close()
    return open_cipher([], None, data=folder, embedded=True)


async def read_password(folder: Path) -> str | None:
    cipher = await open_all(folder)
    store = open_documents(None, data=folder)
    services = await store.database(store.default).find(SERVICES)
    await store.close()
    return cipher.decrypt(services[0]["configuration"])["password"] if services else None


def remove(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def fill_with_garbage(path: Path) -> None:
    path.write_bytes(b"garbage" * 10_000)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:8192])


def replace_by_another_programs(path: Path) -> None:
    path.unlink()
    db = apsw.Connection(str(path))
    db.execute("CREATE TABLE bookmarks (url)")
    db.close()


def stamp_with_another_id(path: Path) -> None:
    db = apsw.Connection(str(path))
    db.pragma("application_id", 12345)
    db.close()


def stamp_with_a_newer_version(path: Path) -> None:
    db = apsw.Connection(str(path))
    db.pragma("user_version", 99)
    db.close()


LOSSES = [
    (remove, "is missing"),
    (empty, "is empty"),
    (fill_with_garbage, "is damaged"),
    (cut_off, "is damaged"),
    (replace_by_another_programs, "another program"),
    (stamp_with_another_id, "another program"),
    (stamp_with_a_newer_version, "newer version"),
]


@pytest.mark.parametrize("name", DATABASES)
@pytest.mark.parametrize(("damage", "reason"), LOSSES)
async def test_a_lost_or_foreign_file_is_refused_until_it_is_restored_or_given_up(
    tmp_path: Path, name: str, damage: Callable[[Path], None], reason: str
) -> None:
    folder = tmp_path / "data"
    await fill(folder)
    shutil.copytree(folder, tmp_path / "copy")
    (folder / f"{name}-wal").unlink(missing_ok=True)
    damage(folder / name)
    for _ in range(2):  # a refusal changes nothing
        with pytest.raises(Unavailable) as raised:
            await open_all(folder)
        assert str(folder / name) in str(raised.value)
        assert reason in str(raised.value)
    shutil.copytree(tmp_path / "copy", tmp_path / "restored")
    assert await read_password(tmp_path / "restored") == "demo-only"
    moved = start_anew(folder, None, None)
    assert all(path.exists() for path in moved)
    assert any(not path.name.endswith(("-wal", "-shm")) for path in moved) is (damage is not remove)
    assert await read_password(folder) == (None if name == "documents.db" else "demo-only")


@pytest.mark.parametrize("adopted", [False, True])
async def test_a_lost_key_is_refused_until_it_is_given_up(tmp_path: Path, adopted: bool) -> None:
    await fill(tmp_path)
    if adopted:
        (tmp_path / "sync-gateway.json").unlink()
    key = tmp_path / "secrets.key"
    keys = key.read_bytes()
    key.unlink()
    for call in (
        lambda: open_cipher([], None, data=tmp_path, embedded=True),
        lambda: add_folder_key(tmp_path),
    ):
        with pytest.raises(BadUserInput, match=r"secrets\.key is missing"):
            call()
    key.touch(0o600)
    with pytest.raises(BadUserInput, match=r"secrets\.key is empty"):
        await open_all(tmp_path)
    for damaged in (b"\xff\xfe", b"no key of Fernet"):
        key.write_bytes(damaged)
        with pytest.raises(BadUserInput, match=r"secrets\.key is damaged"):
            await open_all(tmp_path)
    with pytest.raises(BadUserInput, match=r"secrets\.key is damaged"):
        await open_all(tmp_path)
    key.write_bytes(keys)
    assert await read_password(tmp_path) == "demo-only"
    key.write_bytes(b"")
    start_anew(tmp_path, None, None)
    assert await read_password(tmp_path) != "demo-only"
    assert open_cipher([], None, data=tmp_path, embedded=True).has_keys


def test_workers_that_start_at_once_have_one_key(tmp_path: Path) -> None:
    together = Barrier(8)

    def open_new(number: int) -> list[str]:
        together.wait()
        return open_cipher([], None, data=tmp_path / str(number), embedded=False).list_key_checks()

    with ThreadPoolExecutor(together.parties) as threads:
        for number in range(5):
            checks = list(threads.map(open_new, [number] * together.parties))
            assert checks == [checks[0]] * together.parties


async def test_another_key_is_refused_and_a_rotated_one_is_not(tmp_path: Path) -> None:
    await fill(tmp_path)
    other = add_folder_key(tmp_path / "other")
    with pytest.raises(BadUserInput, match="does not have the key"):
        open_cipher(other, None, data=tmp_path, embedded=True)
    newest = add_folder_key(tmp_path)[0]
    open_cipher([], None, data=tmp_path, embedded=True)
    (tmp_path / "secrets.key").write_text(newest)
    assert open_cipher([], None, data=tmp_path, embedded=True).has_keys
    assert newest not in (tmp_path / "sync-gateway.json").read_text()


async def test_a_folder_of_an_earlier_version_is_adopted(tmp_path: Path) -> None:
    await fill(tmp_path)
    (tmp_path / "sync-gateway.json").unlink()
    for name in DATABASES:
        db = apsw.Connection(str(tmp_path / name))
        db.pragma("application_id", 0)
        db.close()
    assert await read_password(tmp_path) == "demo-only"
    assert json.loads((tmp_path / "sync-gateway.json").read_text())["files"] == [
        "documents.db",
        "secrets.key",
        "series.db",
    ]
    for name in DATABASES:
        db = apsw.Connection(str(tmp_path / name))
        assert db.pragma("application_id") != 0
        db.close()


async def test_documents_that_an_earlier_version_lost_are_not_replaced(tmp_path: Path) -> None:
    await fill(tmp_path)
    for name in ("sync-gateway.json", "documents.db"):
        (tmp_path / name).unlink()
    with pytest.raises(Unavailable, match=r"documents\.db is missing"):
        await open_all(tmp_path)


async def test_the_log_of_lost_documents_is_not_applied_to_new_ones(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    await fill(folder)
    path, log = folder / "documents.db", folder / "documents.db-wal"
    db = apsw.Connection(str(path))
    db.execute("INSERT INTO collections (database, name) VALUES ('lost', 'lost')")
    content = log.read_bytes()
    db.close()
    assert content
    for adopted in (False, True):
        path.unlink()
        log.write_bytes(content)
        if adopted:
            (folder / "sync-gateway.json").unlink()
        for url in (None, f"sqlite:///{path}"):
            with pytest.raises(Unavailable, match=r"documents\.db is missing"):
                open_documents(url, data=None if url else folder)
        moved = start_anew(folder, None, None)
        assert content in [file.read_bytes() for file in moved]
        store = open_documents(None, data=folder)
        assert await store.list_databases() == []
        await store.close()


async def test_series_alone_in_a_folder_are_no_loss(tmp_path: Path) -> None:
    """As with documents on MongoDB."""
    await open_series(None, data=tmp_path).close()
    await open_all(tmp_path)


async def test_a_damaged_marker_is_refused(tmp_path: Path) -> None:
    await fill(tmp_path)
    (tmp_path / "sync-gateway.json").write_text("{")
    with pytest.raises(Unavailable, match=r"sync-gateway\.json is damaged"):
        await open_all(tmp_path)


async def test_the_file_of_a_url_is_remembered_as_well(tmp_path: Path) -> None:
    path, data = tmp_path / "elsewhere.db", tmp_path / "data"
    url = f"sqlite:///{path}"
    for damage, reason in ((remove, "is missing"), (empty, "is empty")):
        await open_documents(url, data=data).close()
        damage(path)
        for _ in range(2):
            with pytest.raises(Unavailable, match=rf"elsewhere\.db {reason}"):
                open_documents(url, data=data)
        start_anew(data, url, None)
        await open_documents(url, data=data).close()
    path.unlink()
    await open_documents(url, data=None).close()  # the target of a copy


HOLDER = """
import sys
from pathlib import Path
from stores.embedded import lock_folder
lock = lock_folder(Path(sys.argv[1]))
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_second_server_is_refused_as_long_as_the_first_one_lives(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(Unavailable, match="in use by a running server"):
            lock_folder(tmp_path)
        holder.kill()
    unlock = lock_folder(tmp_path)
    with pytest.raises(Unavailable, match="in use by a running server"):
        lock_folder(tmp_path)
    unlock()
    lock_folder(tmp_path)()
