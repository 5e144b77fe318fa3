"""Locks that all gateways on one MongoDB share: documents of a hidden collection, each with its owner.

Without transactions, a check and the write that depends on it are one step only under a lock. A lock is held
for the few commands of one call. If its owner has died, the next one who wants it takes it: at once if the
owner ran on this machine, otherwise when the lock has not changed for `lease_s`.
"""

import asyncio
import contextlib
import os
import secrets
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any
from weakref import WeakValueDictionary

import bson
from cachetools import LRUCache
from pymongo.errors import DuplicateKeyError

from stores.backends.mongo.connection import MongoConnection
from stores.contracts.documents import Document, utc_now
from stores.contracts.errors import GatewayError

HIDDEN_PREFIX = "sync_gateway."  # of collections that the gateway keeps for itself, in the default database
LOCKS = f"{HIDDEN_PREFIX}locks"
MIN_LEASE_S = 10.0
FIRST_WAIT_S, MAX_WAIT_S = 0.005, 0.1  # between two attempts
# Who this process is, and the tokens of the locks that it holds, whichever of its connections took them.
HOST, PROCESS = socket.gethostname(), secrets.token_hex(8)
MAX_SEEN = 10_000  # locks of others that are watched
HELD: set[str] = set()


def digest(*parts: Any) -> bytes:
    """A key of 16 bytes for values of any type, which does not reveal them."""
    return blake2b(bson.encode({"": list(parts)}), digest_size=16).digest()


@dataclass(slots=True)
class Hold:
    """Locks that are held.

    If `expires`, they are not released but expire: a write of their owner may still be on its way.
    """

    expires: bool = False


class Locks:
    """The locks of a deployment. A call must end within `lease_s` seconds."""

    def __init__(self, connection: MongoConnection) -> None:
        self._connection = connection
        self.lease_s = max(MIN_LEASE_S, 2 * connection.deadline_s)
        # Within this process nobody has to poll.
        self._local: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        # Locks of others: their tokens, and since when they have been seen, by this process's clock.
        self._seen: LRUCache[bytes, tuple[str, float]] = LRUCache(MAX_SEEN)
        self._releases: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def hold(self, keys: Iterable[bytes], purpose: bytes | None = None) -> AsyncIterator[Hold]:
        """Hold the locks of all keys. Waits until they are free; the caller's deadline ends the wait.

        Who repeats a write of the same `purpose`, which is then applied once at most, need not wait for
        itself.
        """
        hold = Hold()
        async with AsyncExitStack() as stack:
            for key in sorted(set(keys)):  # one order for all, so that nobody waits in a circle
                await stack.enter_async_context(self._local.setdefault(key, asyncio.Lock()))
                await stack.enter_async_context(self._hold_one(key, purpose, hold))
            yield hold

    @asynccontextmanager
    async def _hold_one(self, key: bytes, purpose: bytes | None, hold: Hold) -> AsyncIterator[None]:
        token = secrets.token_hex(8)
        HELD.add(token)
        try:
            await self._acquire(key, purpose, token)
            yield
        finally:
            if hold.expires:
                asyncio.get_running_loop().call_later(self.lease_s, HELD.discard, token)
            else:
                HELD.discard(token)
                release = asyncio.create_task(self._release(key, token))
                self._releases.add(release)
                release.add_done_callback(self._releases.discard)

    async def _acquire(self, key: bytes, purpose: bytes | None, token: str) -> None:
        collection = self._connection.collection(self._connection.default, LOCKS)
        lock = {
            "_id": key,
            "token": token,
            "host": HOST,
            "pid": os.getpid(),
            "process": PROCESS,
            "purpose": purpose,
        }
        wait_s = FIRST_WAIT_S
        while True:
            async with self._connection.command():
                try:
                    await collection.insert_one({**lock, "at": utc_now()})
                    self._seen.pop(key, None)
                    return
                except DuplicateKeyError:
                    holder = await collection.find_one({"_id": key})
                is_own = holder is not None and purpose is not None and holder.get("purpose") == purpose
                if holder is not None and (is_own or self._is_abandoned(holder)):
                    await collection.delete_one({"_id": key, "token": holder.get("token")})
                    holder = None
            if holder is not None:
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, MAX_WAIT_S)

    def _is_abandoned(self, holder: Document) -> bool:
        """Whether the owner of a lock has certainly died, or has not released it for the whole lease."""
        if holder.get("process") == PROCESS:
            return holder.get("token") not in HELD
        if holder.get("host") == HOST and (holder.get("pid") == os.getpid() or not _is_running(holder)):
            return True  # an earlier process had this one's number, or has ended
        key, token = bytes(holder["_id"]), str(holder.get("token"))
        known_token, since = self._seen.get(key, ("", 0.0))
        if known_token != token:
            self._seen[key] = token, time.monotonic()
            return False
        return time.monotonic() - since > self.lease_s

    async def _release(self, key: bytes, token: str) -> None:
        """If this fails, the next one who wants the lock sees that nobody holds it any more."""
        collection = self._connection.collection(self._connection.default, LOCKS)
        with contextlib.suppress(GatewayError):
            async with self._connection.command():
                await collection.delete_one({"_id": key, "token": token})

    async def close(self) -> None:
        """Wait until all locks are released."""
        await asyncio.gather(*self._releases, return_exceptions=True)


def _is_running(holder: Document) -> bool:
    pid = holder.get("pid")
    if not isinstance(pid, int) or sys.platform == "win32":  # where signal 0 would stop the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
