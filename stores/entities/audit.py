"""The audit log: what was changed by whom, and what was refused. Only the gateway writes it."""

from stores.contracts.documents import Order
from stores.contracts.records import Stored, optional, read_objects, read_or_empty, read_string, read_time
from stores.entities.entity import APPLICATION_ID, ORGANIZATION, Entity

NEWEST_FIRST = Order(("time",), descending=True)
_INDEXES = ("time", "subject", "operation", "entityId", APPLICATION_ID)


class AuditEntry(Entity):
    """A change of one entity by one operation.

    The entries of an organization are in its database; those of what belongs to no organization are in the
    default database.
    """

    __slots__ = ()

    scope = ORGANIZATION
    collection = "gateway_audit"
    node_kind = None
    document_kind = None
    unique = ()
    indexes = _INDEXES
    secrets = ()
    order = NEWEST_FIRST

    time = optional(read_time, "time")
    subject = optional(read_string, "subject")
    operation = Stored(read_string, "operation", default="")
    outcome = Stored(read_string, "outcome", default="done")
    code = optional(read_string, "code")
    request_id = optional(read_string, "requestId")
    entity_kind = optional(read_string, "entityKind")
    entity_id = optional(read_string, "entityId")
    entry_application_id = optional(read_string, APPLICATION_ID)
    changes = read_or_empty(read_objects, "changes")


class RefusalEntry(AuditEntry):
    """A request that was refused. The collection is another, so that refusals push out no change."""

    __slots__ = ()

    scope = ORGANIZATION
    collection = "gateway_refusals"
    node_kind = None
    document_kind = None
    unique = ()
    indexes = _INDEXES
    secrets = ()
