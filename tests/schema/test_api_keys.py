"""API keys: what is stored of them, who they let in, and how soon that ends."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import apsw
import pytest
from starlette.requests import Request

from resolvers.api_keys import (
    KEYS,
    KeySpec,
    create_api_key,
    list_api_keys,
    revoke_api_key,
    rotate_api_key,
)
from resolvers.grants import OPEN, Grant, GrantLimits, Role
from resolvers.rules.key_text import generate_key, parse_key
from schema.server.authentication import Authenticator
from schema.server.key_ring import KeyRing
from stores.contracts.document_store import DocumentDatabase, DocumentStore
from stores.contracts.documents import Change, equals, utc_now
from stores.contracts.errors import BadUserInput, NotFound, Unauthenticated, Unavailable
from stores.wrappers.documents import WrappedDocumentDatabase
from stores.wrappers.interception import Interceptor, StoreCall
from tests.docs.markdown import PROJECT
from tests.schema.clock import Clock
from tests.schema.conftest import BACKENDS

VIEWER = KeySpec("dashboard", ("acme",), Role.VIEWER)


class Faults(Interceptor):
    """Counts calls, and fails them while `down`."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.down = False
        self.on_call: Callable[[], None] = lambda: None

    async def run(self, call: StoreCall, proceed):  # type: ignore[no-untyped-def]  # as the contract types it
        self.calls.append(str(call))
        self.on_call()
        if self.down:
            raise Unavailable("down")
        return await proceed()


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
async def ring(database: DocumentDatabase, faults: Faults, clock: Clock) -> AsyncIterator[KeyRing]:
    ring = KeyRing(WrappedDocumentDatabase(database, faults), clock)
    yield ring
    await ring.close()


def test_a_key_is_one_word_and_a_mistyped_one_is_not_a_key() -> None:
    key = generate_key()
    assert key.text.replace("_", "").isalnum()
    security = (PROJECT / "docs" / "security.md").read_text()
    [pattern] = re.findall(r"Keys match `(.+?)`", security)
    assert re.fullmatch(pattern, key.text)
    assert parse_key(key.text) == key
    for index in range(len(key.text)):
        wrong = "x" if key.text[index] != "x" else "y"
        assert parse_key(key.text[:index] + wrong + key.text[index + 1 :]) is None
    for text in ("", "swk_", key.text[:-1], key.text + "0", f" {key.text}", key.text.upper()):
        assert parse_key(text) is None


@pytest.mark.parametrize("backend", BACKENDS)
async def test_of_a_key_only_its_id_and_a_hash_are_stored(database: DocumentDatabase) -> None:
    key, text = await create_api_key(database, VIEWER, created_by="test")
    [document] = await database.find(KEYS, key.query(None, equals("keyId", key.key_id)))
    parsed = parse_key(text)
    assert parsed is not None
    assert document["secretSha256"] == parsed.secret_sha256
    secret = text.split("_")[2]
    assert secret not in repr(document)
    assert secret[:20] not in repr(document)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (KeySpec("none", ("acme",)), "role"),
        (KeySpec("nowhere", (), Role.VIEWER), "organizationIds"),
        (KeySpec("both", ("acme",), Role.OPERATOR), "organizationIds"),
        (KeySpec("name", ("a/b",), Role.VIEWER), "organizationIds"),
        (KeySpec("old", ("acme",), Role.VIEWER, expires_at=utc_now() - timedelta(days=1)), "expiresAt"),
        (KeySpec(" ", ("acme",), Role.VIEWER), "name"),
        (KeySpec("dash", ("acme",), Role.VIEWER, limits=GrantLimits(concurrent_requests=0)), "limits"),
        (KeySpec("line", ("acme",), ingest=True, application_ids=("cnc",)), "applicationIds"),
    ],
)
async def test_a_key_that_makes_no_sense_is_not_created(
    database: DocumentDatabase, spec: KeySpec, field: str
) -> None:
    with pytest.raises(BadUserInput) as error:
        await create_api_key(database, spec, created_by="test")
    assert error.value.extensions["fields"] == [field]
    assert not await list_api_keys(database)


async def test_a_key_has_the_rights_that_it_was_created_with(
    database: DocumentDatabase, ring: KeyRing
) -> None:
    expires_at = utc_now() + timedelta(days=1)
    limits = GrantLimits(cost_per_minute=7)
    spec = KeySpec("dash", ("a", "b"), Role.EDITOR, False, ("cnc",), expires_at, limits)
    key, text = await create_api_key(database, spec, created_by="test")
    grant = await ring.check(text)
    rights = (frozenset({"a", "b"}), frozenset({"cnc"}), False, expires_at, limits)
    assert grant == Grant(key.key_id, Role.EDITOR, *rights)


async def test_what_cannot_be_read_of_a_stored_key_gives_no_right(
    database: DocumentDatabase, ring: KeyRing, clock: Clock
) -> None:
    key, text = await create_api_key(database, VIEWER, created_by="test")
    for broken in ("emperor", 7, None):
        limits = {"cost_per_minute": broken or "many"}
        change = Change(set={("role",): broken, ("organizationIds",): {"x": 1}, ("limits",): limits})
        await database.update(KEYS, [equals("keyId", key.key_id)], change)
        clock.now += 5
        grant = await ring.check(text)
        assert (grant.role, grant.organizations, grant.ingest) == (None, frozenset(), False)
        assert (grant.limits.cost_per_minute, grant.limits.concurrent_requests) in ((1, None), (7, None))


@pytest.mark.parametrize("end", ["revokedAt", "expiresAt"])
async def test_the_end_of_a_key_takes_effect_within_five_seconds(
    database: DocumentDatabase, ring: KeyRing, clock: Clock, end: str
) -> None:
    ended, text = await create_api_key(database, VIEWER, created_by="test")
    _, other = await create_api_key(database, VIEWER, created_by="test")
    await ring.check(text)
    change = Change(set={(end,): utc_now() - timedelta(seconds=1)})  # as another process does
    await database.update(KEYS, [equals("keyId", ended.key_id)], change)
    clock.now += 5
    with pytest.raises(Unauthenticated):
        await ring.check(text)
    await ring.check(other)


async def test_a_revoked_key_stays_revoked(database: DocumentDatabase) -> None:
    key, _ = await create_api_key(database, VIEWER, created_by="test")
    first = await revoke_api_key(database, key.key_id)
    assert first.revoked_at is not None
    assert (await revoke_api_key(database, key.key_id)).revoked_at == first.revoked_at


async def test_a_request_does_not_cost_a_call(
    database: DocumentDatabase, ring: KeyRing, clock: Clock, faults: Faults
) -> None:
    _, text = await create_api_key(database, VIEWER, created_by="test")
    await asyncio.gather(*(ring.check(text) for _ in range(100)))
    await ring.close()
    calls = [f"find {KEYS.name}", f"count {KEYS.name}", f"update {KEYS.name}"]
    assert faults.calls == calls, "one reading for all, one write of the last use"
    for _ in range(50):
        clock.now += 1
        await ring.check(text)
    await ring.close()
    assert faults.calls.count(calls[0]) <= 14
    assert faults.calls.count(calls[2]) == 1, "the last use is written at most once a minute"
    [key] = await list_api_keys(database)
    assert key.last_used_at is not None


async def test_the_last_use_is_written_once_a_minute_by_all_processes_together(
    database: DocumentDatabase, ring: KeyRing, clock: Clock, faults: Faults
) -> None:
    key, text = await create_api_key(database, VIEWER, created_by="test")
    # Another process has written the last use this many seconds ago.
    for age_s, seconds, writes in ((30, 0, 0), (59, 29, 0), (61, 6, 1)):
        clock.now += seconds
        change = Change(set={("lastUsedAt",): utc_now() - timedelta(seconds=age_s)})
        await database.update(KEYS, [equals("keyId", key.key_id)], change)
        await ring.check(text)
        await ring.close()
        assert faults.calls.count(f"update {KEYS.name}") == writes


async def test_a_slow_reading_does_not_delay_a_revocation(
    database: DocumentDatabase, ring: KeyRing, clock: Clock, faults: Faults
) -> None:
    key, text = await create_api_key(database, VIEWER, created_by="test")
    faults.on_call = lambda: setattr(clock, "now", clock.now + 1.5)  # for each of the two calls of a reading
    await ring.check(text)
    faults.on_call = lambda: None
    await revoke_api_key(database, key.key_id)
    clock.now += 2
    with pytest.raises(Unauthenticated):
        await ring.check(text)


async def test_while_the_store_is_down_keys_go_on_that_were_checked_in_the_last_minute(
    database: DocumentDatabase, ring: KeyRing, clock: Clock, faults: Faults
) -> None:
    _, known = await create_api_key(database, VIEWER, created_by="test")
    _, unknown = await create_api_key(database, VIEWER, created_by="test")
    await ring.check(known)
    faults.down = True
    clock.now += 50
    await ring.check(known)
    for key in (unknown, generate_key().text):
        with pytest.raises(Unavailable):
            await ring.check(key)
    clock.now += 11
    with pytest.raises(Unavailable):
        await ring.check(known)
    faults.down = False
    clock.now += 2
    await ring.check(known)


async def test_keys_that_cannot_be_read_do_not_open_the_gateway(
    database: DocumentDatabase, documents: DocumentStore, ring: KeyRing, clock: Clock, tmp_path: Path
) -> None:
    await create_api_key(database, VIEWER, created_by="test")
    assert not await ring.is_empty()
    with apsw.Connection(str(tmp_path / "documents.db")) as db:
        db.execute("UPDATE documents SET body = substr(body, 1, 20)")
    clock.now += 5
    assert not await list_api_keys(database)
    assert not await ring.is_empty()
    assert not await KeyRing(database, clock).is_empty()


async def test_the_first_key_is_checked_before_others_need_one(
    database: DocumentDatabase, ring: KeyRing, clock: Clock
) -> None:
    authenticate = Authenticator(ring, may_be_open=True)

    def request(*headers: tuple[bytes, bytes]) -> Request:
        return Request({"type": "http", "scheme": "http", "client": None, "headers": headers})

    assert await authenticate(request()) is OPEN
    key, text = await create_api_key(database, VIEWER, created_by="test")
    clock.now += 1
    assert await authenticate(request()) is OPEN
    grant = await authenticate(request((b"authorization", f"Bearer {text}".encode())))
    assert grant.subject == key.key_id
    with pytest.raises(Unauthenticated):
        await authenticate(request())


async def test_a_new_ring_over_a_store_that_is_down_lets_nobody_in(ring: KeyRing, faults: Faults) -> None:
    faults.down = True
    with pytest.raises(Unavailable):
        await ring.check(generate_key().text)
    with pytest.raises(Unavailable):
        await ring.is_empty()


async def test_a_rotated_key_overlaps_its_successor(
    database: DocumentDatabase, ring: KeyRing, clock: Clock
) -> None:
    old, old_text = await create_api_key(database, VIEWER, created_by="test")
    new, new_text = await rotate_api_key(database, old.key_id, timedelta(days=7), created_by="test")
    assert new.key_id != old.key_id
    for text in (old_text, new_text):
        assert (await ring.check(text)).organizations == frozenset({"acme"})
    [ended] = [key for key in await list_api_keys(database) if key.key_id == old.key_id]
    assert ended.expires_at is not None
    assert ended.expires_at - utc_now() < timedelta(days=7, seconds=1)
    with pytest.raises(NotFound):
        await rotate_api_key(database, "none", timedelta(0), created_by="test")
    count = len(await list_api_keys(database))
    for overlap in (timedelta(days=-1), timedelta(days=400), timedelta.max):
        with pytest.raises(BadUserInput):
            await rotate_api_key(database, new.key_id, overlap, created_by="test")
    assert len(await list_api_keys(database)) == count
    await revoke_api_key(database, new.key_id)
    with pytest.raises(BadUserInput):
        await rotate_api_key(database, new.key_id, timedelta(0), created_by="test")
