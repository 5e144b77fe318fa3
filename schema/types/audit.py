"""The audit log in the graph."""

from enum import Enum
from typing import Annotated, Any

import strawberry

from resolvers import audit_log
from resolvers.audit_log import AuditFilter
from resolvers.series.ranges import resolve_range
from schema.engine.fields import Info, argument, attribute, derived
from schema.engine.scalars import JSON, DateTime
from schema.types.paging import Connection
from schema.types.series_arguments import TimeRange, to_range
from schema.types.shared import After, First
from stores.entities import audit as stored


@strawberry.enum(description="What became of an operation.")
class AuditOutcome(Enum):
    DONE = strawberry.enum_value("done", description="It has changed something.")
    REFUSED = strawberry.enum_value(
        "refused", description="It was refused: the credential is not valid, or does not permit it."
    )


@strawberry.type(description="A value that was changed.")
class AuditChange:
    @derived("The path of the value in the stored entity, such as `properties.ip`.")
    def path(root: strawberry.Parent[dict[str, Any]]) -> str:
        return str(root.get("path", ""))

    @derived("The value before. Null if there was none; a mask in place of a secret.", JSON | None)
    def before(root: strawberry.Parent[dict[str, Any]]) -> Any:
        return root.get("before")

    @derived("The value after. Null if there is none; a mask in place of a secret.", JSON | None)
    def after(root: strawberry.Parent[dict[str, Any]]) -> Any:
        return root.get("after")

    @derived("Whether a value is too long to be shown, so that it is null.")
    def is_truncated(root: strawberry.Parent[dict[str, Any]]) -> bool:
        return root.get("isTruncated") is True


@strawberry.type(description="A change of one entity, or a request that was refused.")
class AuditEntry:
    time: DateTime | None = attribute("The time of the change or of the refusal.")
    subject: str | None = attribute(
        "Who sent the request: the id of an API key, the issuer and the subject of a token, `anonymous`,"
        " `open` (before any key exists) or `command line`. Null if the credential was not valid."
    )
    operation: str = attribute(
        "The name of the mutation, also if an old route or the command line has applied it; of a refusal, the"
        " field, or the method and the path of the request."
    )
    code: str | None = attribute("The code of a refusal: `UNAUTHENTICATED` or `FORBIDDEN`.")
    request_id: str | None = attribute("The id of the request, which its response and the log name.")
    entity_kind: str | None = attribute("The type of the changed entity, such as `Device`.")
    entity_id: str | None = attribute("The global id of the changed entity; of an API key, its `keyId`.")

    @derived("Whether it was done or refused.", AuditOutcome)
    def outcome(root: strawberry.Parent[stored.AuditEntry]) -> Any:
        return AuditOutcome.REFUSED if root.outcome == "refused" else AuditOutcome.DONE

    @derived("The application that the entity belongs to.")
    def application_id(root: strawberry.Parent[stored.AuditEntry]) -> str | None:
        return root.entry_application_id

    @derived("What was changed. All values are new if the entity was created.", list[AuditChange])
    def changes(root: strawberry.Parent[stored.AuditEntry]) -> Any:
        return root.changes


@strawberry.type
class AuditQueries:
    @derived(
        "The audit log of an organization, newest first: the newest changes and refusals, as many as the"
        " setting `audit.entries` allows.",
        Connection[AuditEntry] | None,
    )
    async def audit_log(
        self,
        info: Info,
        organization_id: Annotated[
            str | None,
            argument(
                "The organization. Operators leave it out for what belongs to none: services, legacy devices,"
                " icons, keys of operators, and requests without a valid credential."
            ),
        ] = None,
        first: First = None,
        after: After = None,
        entity_id: Annotated[strawberry.ID | None, argument("Only changes of the entity of this id.")] = None,
        subject: Annotated[str | None, argument("Only what this subject did or tried.")] = None,
        operation: Annotated[str | None, argument("Only this operation, such as `updateDevice`.")] = None,
        outcome: Annotated[AuditOutcome | None, argument("Only changes, or only refusals.")] = None,
        range: Annotated[TimeRange | None, argument("Only entries of this range of time.")] = None,
    ) -> Any:
        entity = {AuditOutcome.DONE: stored.AuditEntry, AuditOutcome.REFUSED: stored.RefusalEntry}
        filter = AuditFilter(
            entity_id,
            subject,
            operation,
            None if range is None else resolve_range(info.context, to_range(range)),
            None if outcome is None else entity[outcome],
        )
        return await audit_log.list_audit_entries(info.context, organization_id, filter, first, after)
