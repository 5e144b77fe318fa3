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
    DEVICES = strawberry.enum_value("devices", description="The devices of an application.")
    CONNECTORS = strawberry.enum_value("connectors", description="The connectors of an application.")
    CONFIG = strawberry.enum_value("config", description="The configuration of an application.")
    EVENT_CLASSES = strawberry.enum_value("event_classes", description="The event classes of an application.")
    FUNCTIONS = strawberry.enum_value("functions", description="The functions of an application.")
    GATEWAYS = strawberry.enum_value("gateways", description="The gateways of an organization.")
    TEMPLATES = strawberry.enum_value("templates", description="The connectors of an organization.")


@strawberry.type
class DocumentQueries:
    @derived("All documents of one kind as they are stored, in one list. Secrets are masked.", JSON)
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
