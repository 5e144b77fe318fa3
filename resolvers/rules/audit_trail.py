"""Who changed what: the entries of the audit log, and the log lines of them.

Every mutation starts a journal, and the databases that it writes to record their changes in it. A new entity
or mutation needs nothing here.
"""

import logging
from collections.abc import Sequence
from typing import Any

import orjson
from bson import ObjectId

from resolvers.context import OperationJournal
from resolvers.rules.changed_entities import find_changed_entities
from resolvers.rules.differences import list_differences
from resolvers.rules.ids import encode_global_id
from resolvers.rules.refusals import RefusalLog
from stores.contracts.document_store import DocumentStore
from stores.contracts.documents import Document, utc_now
from stores.contracts.errors import GatewayError
from stores.contracts.journal import CappedCollection, DocumentChange, JournalEntry
from stores.contracts.records import read_string
from stores.entities.audit import AuditEntry, RefusalEntry
from stores.entities.secrets import SecretRules

log = logging.getLogger("audit")


class AuditTrail(RefusalLog):
    """The audit log in a store: the newest `max_entries` changes, and as many refusals, of each organization.

    `rules` say which values are secrets.
    """

    def __init__(self, store: DocumentStore, rules: SecretRules, max_entries: int) -> None:
        super().__init__(store, CappedCollection(RefusalEntry.collection_of(), max_entries))
        self.rules = rules
        self.changes = CappedCollection(AuditEntry.collection_of(), max_entries)

    def start_journal(self, subject: str, operation: str, request_id: str | None = None) -> "ChangeJournal":
        return ChangeJournal(self, subject, operation, request_id)


class ChangeJournal(OperationJournal):
    """Makes the entries of the changes of one operation."""

    def __init__(self, trail: AuditTrail, subject: str, operation: str, request_id: str | None) -> None:
        self.target = trail.changes
        self._trail = trail
        self._who = {"subject": subject, "operation": operation, "requestId": request_id}

    def describe(self, database: str, changes: Sequence[DocumentChange]) -> list[JournalEntry]:
        self.is_used = True
        entries = []
        for change in find_changed_entities(database, self._trail.store.default, changes):
            what = {
                "entityKind": change.kind,
                "entityId": change.entity_id,
                "applicationId": change.application_id,
                "changes": list_differences(change.before, change.after, self._trail.rules),
            }
            entries.append(self._make_entry(change.database, what))
        return entries

    def report_written(self, entries: Sequence[JournalEntry], error: BaseException | None = None) -> None:
        for entry in entries:
            fields = {key: value for key, value in entry.document.items() if key not in ("_id", "time")}
            fields["database"] = entry.database
            fields["changes"] = orjson.dumps(fields["changes"], default=str).decode()
            if error is None:
                log.info("change", extra=fields)
            else:
                reason = error.message if isinstance(error, GatewayError) else type(error).__name__
                log.error("a change is missing in the audit log: %s", reason, extra=fields)

    def report_unknown(self) -> None:
        log.warning("a write failed that may be applied", extra={**self._who, "outcome": "unknown"})

    async def add_action(self, entity: Any, arguments: Document) -> None:
        kind = getattr(entity, "node_kind", None)
        what = {
            "entityKind": kind or (None if entity is None else type(entity).__name__),
            "entityId": None if kind is None else encode_global_id(kind, *entity.identity()),
            "applicationId": read_string(arguments.get("applicationId")),
            "changes": list_differences(None, arguments, self._trail.rules),
        }
        default = self._trail.store.default
        entries = [self._make_entry(read_string(arguments.get("organizationId")) or default, what)]
        error: GatewayError | None = None
        try:
            await self._trail.store.database(default).append(self.target, entries)
        except GatewayError as failure:
            error = failure
        self.report_written(entries, error)

    def _make_entry(self, database: str, what: Document) -> JournalEntry:
        document = {"_id": ObjectId(), "time": utc_now(), **self._who, "outcome": "done", **what}
        return JournalEntry(database, document)
