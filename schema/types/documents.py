"""Whole collections in the graph, for clients of the old API."""

from enum import Enum
from typing import Annotated, Any

import strawberry

from resolvers import documents
from schema.engine.fields import Info, argument, derived
from schema.engine.scalars import JSON
from schema.types.shared import OrganizationId


@strawberry.enum(description="A kind of stored documents.")
class DocumentKind(Enum):
    """One member for each entity that declares a `document_kind`."""

    _ignore_ = ["members", "kind", "entity"]  # noqa: RUF012 - the enumeration reads a list
    members = vars()
    for kind, entity in documents.KINDS.items():
        members[kind.upper()] = strawberry.enum_value(
            kind, description=f"The {kind.replace('_', ' ')} of an {entity.scope.value}."
        )


@strawberry.type
class DocumentQueries:
    @derived(
        "All documents of one kind as they are stored. Secrets are masked, or left out for viewers.",
        JSON,
    )
    async def documents(
        self,
        info: Info,
        organization_id: OrganizationId,
        of: Annotated[DocumentKind, argument("The kind of documents.")],
        application_id: Annotated[
            str | None, argument("The id of the application, which need not be registered.")
        ] = None,
    ) -> Any:
        return await documents.list_documents(info.context, organization_id, application_id, str(of.value))
