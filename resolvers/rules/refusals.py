"""Refused requests in the audit log: bounded, so that an attacker fills neither the log nor the disk."""

import asyncio
import logging
import re
import time
from collections.abc import Callable

from bson import ObjectId

from resolvers.context import Audit
from resolvers.grants import Grant
from resolvers.rules.key_text import KEY_PREFIX
from stores.contracts.document_store import DocumentStore
from stores.contracts.documents import utc_now
from stores.contracts.errors import GatewayError
from stores.contracts.journal import CappedCollection, JournalEntry

log = logging.getLogger("audit")
MAX_BURST = 100  # refusals that are recorded at once
MAX_PER_S = 1.0  # and after that
DELAY_S = 0.5  # refusals of this time are written together
_KEY = re.compile(rf"{KEY_PREFIX}\w+")  # in a path, where it does not belong
MAX_LENGTH = 200  # characters of an operation, which is in part what a client sends


class RefusalLog(Audit):
    """Records refusals in `target`, in the background: a refusal makes no store call of its request.

    More than `MAX_BURST` at a time are only counted.
    """

    def __init__(
        self, store: DocumentStore, target: CappedCollection, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.store = store
        self._target, self._clock = target, clock
        self._allowance, self._counted_at = float(MAX_BURST), clock()
        self._not_recorded = 0
        self._pending: list[JournalEntry] = []
        self._writing: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()

    def record_refusal(
        self,
        grant: Grant | None,
        operation: str,
        code: str,
        *,
        organization_id: str | None = None,
        request_id: str | None = None,
    ) -> None:
        if not self._may_record():
            self._not_recorded += 1
            return
        organizations = (grant.organizations if grant is not None else None) or ()
        if organization_id not in organizations:
            organization_id = next(iter(organizations)) if len(organizations) == 1 else None
        document = {
            "_id": ObjectId(),
            "time": utc_now(),
            "subject": None if grant is None else grant.subject,
            "operation": _KEY.sub("swk_...", operation)[:MAX_LENGTH],
            "outcome": "refused",
            "code": code,
            "requestId": request_id,
        }
        database = self.store.default if organization_id is None else organization_id
        self._pending.append(JournalEntry(database, document))
        fields = {key: value for key, value in document.items() if key not in ("_id", "time")}
        log.warning("refusal", extra={**fields, "database": database})
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write_later())

    async def flush(self) -> None:
        async with self._lock:
            entries, self._pending = self._pending, []
            count, self._not_recorded = self._not_recorded, 0
            if count:
                log.warning("%d refusals are not in the audit log: there were too many at a time", count)
            if not entries:
                return
            try:
                await self.store.database(self.store.default).append(self._target, entries)
            except GatewayError as error:
                log.error("%d refusals are missing in the audit log: %s", len(entries), error.message)

    async def close(self) -> None:
        """Write what is pending, and stop."""
        if self._writing is not None:
            self._writing.cancel()
        await self.flush()

    async def _write_later(self) -> None:
        while self._pending or self._not_recorded:
            await asyncio.sleep(DELAY_S)
            await self.flush()

    def _may_record(self) -> bool:
        now = self._clock()
        gained = (now - self._counted_at) * MAX_PER_S
        self._allowance, self._counted_at = min(self._allowance + gained, MAX_BURST), now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True
