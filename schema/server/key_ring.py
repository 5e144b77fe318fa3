"""The API keys that requests are checked against, read from the store every few seconds."""

import asyncio
import hashlib
import hmac
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from resolvers.api_keys import KEYS, grant_of, is_valid, list_api_keys
from resolvers.grants import Grant
from resolvers.rules.key_text import KeyText, parse_key
from stores.contracts.document_store import DocumentDatabase
from stores.contracts.documents import Change, equals, utc_now
from stores.contracts.errors import GatewayError, Unauthenticated, Unavailable
from stores.entities.api_keys import ApiKey

log = logging.getLogger(__name__)
MAX_AGE_S = 4.0  # a revocation takes effect within 5 seconds
MIN_INTERVAL_S = 0.25  # between two readings for keys that are unknown
RETRY_S = 1.0  # after a failed reading
GRACE_S = 60.0  # how long a key that was checked stays good while the store is down
MIN_USE_INTERVAL_S = 60.0  # between two writes of the time of last use


@dataclass(slots=True)
class _State:
    keys: dict[str, ApiKey] = field(default_factory=dict)
    # Of texts that were compared with what is stored, by their hashes, so that no secret is kept.
    known: dict[bytes, tuple[ApiKey, Grant]] = field(default_factory=dict)
    exists: bool = False  # whether a key was ever created, be it one that cannot be read
    read_at: float | None = None  # when the last reading began; None: never read
    failed_at: float | None = None


class KeyRing:
    """The keys of the database `documents`, as they were at most `MAX_AGE_S` ago.

    `had_keys` is whether keys were created before, even if the database has none now; `record_keys` is called
    when the first one is seen.
    """

    def __init__(
        self,
        documents: DocumentDatabase,
        clock: Callable[[], float] = time.monotonic,
        *,
        had_keys: bool = False,
        record_keys: Callable[[], None] = lambda: None,
    ) -> None:
        self._documents, self._clock = documents, clock
        self._state = _State(exists=had_keys)
        self._record_keys = record_keys
        self._reading = asyncio.Lock()
        self._checked: dict[str, float] = {}  # when a valid key was last checked against fresh data
        self._used: dict[str, float] = {}  # when the use of a key was last written
        self._writes: set[asyncio.Task[None]] = set()

    def get_cache_size(self) -> int:
        """The number of cached entries."""
        return len(self._state.keys)

    @property
    def has_keys(self) -> bool:
        """Whether a key is known to have been created, as far as this was read yet."""
        return self._state.exists

    async def is_empty(self, max_age_s: float = MAX_AGE_S) -> bool:
        """Whether no key was ever created, as known at most `max_age_s` ago.

        Raises `Unavailable` if that was never read.
        """
        if self._state.exists:
            return False
        await self._refresh(max_age_s)
        if self._state.read_at is None:
            raise Unavailable("API keys cannot be checked now.")
        return not self._state.exists

    async def check(self, text: str) -> Grant:
        """The grant of a key. Raises `Unauthenticated`, or `Unavailable` if it cannot be checked now."""
        digest = hashlib.blake2b(text.encode(), digest_size=32).digest()  # takes a third of SHA-256's time
        now, state = self._clock(), self._state
        known = state.known.get(digest)
        if known is not None and state.read_at is not None and now - state.read_at < MAX_AGE_S:
            key, grant = known
            if grant.expires_at is None or grant.expires_at > utc_now():
                self._checked[grant.subject] = now
                self._record_use(key, grant.subject, now)
                return grant
        return await self._compare(text, digest)

    async def _compare(self, text: str, digest: bytes) -> Grant:
        """The grant of a key, which is compared with those that are stored. Raises as `check` does."""
        presented = parse_key(text)
        if presented is None:
            raise Unauthenticated("The API key is not valid.")
        is_fresh = await self._refresh()
        key = self._find(presented)
        if key is None:  # it may have been created just now
            await asyncio.sleep(MIN_INTERVAL_S)
            is_fresh = await self._refresh(MIN_INTERVAL_S)
            key = self._find(presented)
        now = self._clock()
        if not is_fresh and now - self._checked.get(presented.key_id, -GRACE_S) >= GRACE_S:
            raise Unavailable("API keys cannot be checked now.")
        if key is None or not is_valid(key):
            raise Unauthenticated("The API key is not valid.")
        if is_fresh:
            self._checked[key.key_id] = now
        self._record_use(key, key.key_id, now)
        _, grant = self._state.known.setdefault(digest, (key, grant_of(key)))
        return grant

    def _find(self, presented: KeyText) -> ApiKey | None:
        """The stored key with the id and the secret. The time does not tell which of them is wrong."""
        key = self._state.keys.get(presented.key_id)
        secret = key.secret_sha256 if key is not None else "0" * 64
        return key if hmac.compare_digest(secret.encode(), presented.secret_sha256.encode()) else None

    async def close(self) -> None:
        """Wait for what is being written."""
        await asyncio.gather(*self._writes, return_exceptions=True)

    async def _refresh(self, max_age_s: float = MAX_AGE_S) -> bool:
        """Whether the keys are fresh, after reading them again if they were not."""
        if self._is_fresh(max_age_s):
            return True
        asked_at = self._clock()
        async with self._reading:  # one reads for all
            # A slow reading that began after this request is as fresh as another one would be.
            if self._is_fresh(max_age_s) or (self._state.read_at or asked_at) > asked_at:
                return True
            began_at, failed_at = self._clock(), self._state.failed_at
            if failed_at is not None and began_at - failed_at < RETRY_S:
                return False
            try:
                keys = await list_api_keys(self._documents)
                # Damaged documents are left out of lists, but counted: they must not open the gateway.
                [stored] = await self._documents.count([KEYS])
            except GatewayError as error:
                self._state.failed_at = self._clock()
                log.warning("API keys cannot be read: %s", error.message)
                return False
            if stored > 0 and not self._state.exists:
                self._record_keys()
            exists = self._state.exists or stored > 0
            self._state = _State({key.key_id: key for key in keys}, {}, exists, began_at)
            return True

    def _is_fresh(self, max_age_s: float) -> bool:
        read_at = self._state.read_at
        return read_at is not None and self._clock() - read_at < max_age_s

    def _record_use(self, key: ApiKey, key_id: str, now: float) -> None:
        if now - self._used.get(key_id, -MIN_USE_INTERVAL_S) < MIN_USE_INTERVAL_S:
            return
        self._used[key_id] = now
        if key.last_used_at is not None:
            age_s = (utc_now() - key.last_used_at).total_seconds()
            if 0 <= age_s < MIN_USE_INTERVAL_S:  # another process has written it
                self._used[key_id] = now - age_s
                return
        task = asyncio.get_running_loop().create_task(self._write_use(key_id))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    async def _write_use(self, key_id: str) -> None:
        try:
            change = Change(set={("lastUsedAt",): utc_now()})
            await self._documents.update(KEYS, [equals("keyId", key_id)], change)
        except GatewayError as error:
            log.warning("the last use of an API key cannot be written: %s", error.message)
