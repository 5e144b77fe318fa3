"""Connectors in the graph: templates of an organization, and those of its applications."""

from typing import Annotated, Any

import strawberry

from resolvers import applications, connectors, organizations
from schema.engine.fields import Info, argument, attribute, derived, mutation, selected_keys
from schema.engine.inputs import DOCUMENT, IF_UPDATED_AT, optional, provided_values, required, with_document
from schema.engine.scalars import JSON, DateTime
from schema.types.devices import NODES, Device
from schema.types.node import Node
from schema.types.paging import Connection
from schema.types.shared import APPLICATION, ORGANIZATION, After, First
from stores.entities import connectors as stored
from stores.entities.devices import Device as StoredDevice
from stores.entities.secrets import mask_secrets


@strawberry.type(description="How machines are read: a driver and its settings.")
class Connector(Node):
    document_id: str = attribute("The id in the store.")
    name: str = attribute("The name that devices refer to.")
    driver: str = attribute("The driver, such as `fanuc` or `mtconnect`.")
    description: str | None = attribute("What it is for.")
    collections: JSON = attribute("What it collects: by name, whether it is used and its variables.")
    created_at: DateTime | None = attribute("When it was made.")
    updated_at: DateTime | None = attribute("When it was last changed.")

    @derived("The driver's settings; secrets are masked.", JSON, needs=("properties",))
    def properties(root: strawberry.Parent[stored.Connector]) -> Any:
        return mask_secrets(root.properties)

    @derived("The whole document as it is stored; secrets are masked.", JSON)
    def document(root: strawberry.Parent[stored.Connector]) -> Any:
        return mask_secrets(root.document)

    @derived("The application it belongs to; null for one of an organization.", APPLICATION | None, needs=())
    async def application(root: strawberry.Parent[stored.Connector], info: Info) -> Any:
        assert root.organization_id is not None
        return root.application_id and await applications.get_application(
            info.context, root.organization_id, root.application_id
        )

    @derived("The organization it belongs to.", ORGANIZATION, needs=())
    async def organization(root: strawberry.Parent[stored.Connector], info: Info) -> Any:
        assert root.organization_id is not None
        return await organizations.require_organization(info.context, root.organization_id)

    @derived("The devices that name it.", Connection[Device], needs=("name",))
    async def devices(
        root: strawberry.Parent[stored.Connector], info: Info, first: First = None, after: After = None
    ) -> Any:
        keys = selected_keys(info, StoredDevice, "Device", *NODES)
        return await connectors.devices_of_connector(info.context, root, first, after, keys)


@strawberry.input(description="A new connector; without an application one of the organization.")
class CreateConnectorInput:
    organization_id: str = required("The organization.")
    application_id: str | None = optional("The application; none for one of the organization.", None)
    name: str | None = optional("The name; required here or in `document`.")
    driver: str | None = optional("The driver; required here or in `document`.")
    description: str | None = optional("What it is for.")
    properties: JSON | None = optional("The driver's settings; a mask takes a template's secret.")
    collections: JSON | None = optional("What it collects.")
    document: JSON | None = optional(DOCUMENT)


@strawberry.input(description="A change of a connector: a field that is given is set whole, the others stay.")
class UpdateConnectorInput:
    organization_id: str = required("The organization.")
    application_id: str | None = optional("The application; none for one of the organization.", None)
    document_id: str = required("The connector's id in the store.")
    name: str | None = optional("The name.")
    driver: str | None = optional("The driver.")
    description: str | None = optional("What it is for.")
    properties: JSON | None = optional("The driver's settings; a mask keeps the secret in its place.")
    collections: JSON | None = optional("What it collects.")
    document: JSON | None = optional(DOCUMENT)
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.input(description="A connector to delete.")
class DeleteConnectorInput:
    organization_id: str = required("The organization.")
    application_id: str | None = optional("The application; none for one of the organization.", None)
    document_id: str = required("The connector's id in the store.")
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.type(description="The connector as it is now or, deleted, as it was.")
class ConnectorPayload:
    connector: Connector = attribute("The connector.")


SETTINGS = ("name", "driver", "description", "properties", "collections")


@strawberry.type
class ConnectorMutations:
    @mutation("Create a connector.")
    async def create_connector(
        self, info: Info, input: Annotated[CreateConnectorInput, argument("The connector.")]
    ) -> ConnectorPayload:
        values = with_document(input.document, provided_values(input, *SETTINGS))
        created = await connectors.create_connector(
            info.context, input.organization_id, input.application_id, values
        )
        return ConnectorPayload(connector=created)  # type: ignore[arg-type]  # a record

    @mutation("Change a connector.")
    async def update_connector(
        self, info: Info, input: Annotated[UpdateConnectorInput, argument("The change.")]
    ) -> ConnectorPayload:
        changed = await connectors.update_connector(
            info.context,
            input.organization_id,
            input.application_id,
            input.document_id,
            with_document(input.document, provided_values(input, *SETTINGS)),
            input.if_updated_at,
        )
        return ConnectorPayload(connector=changed)  # type: ignore[arg-type]  # a record

    @mutation("Delete a connector.")
    async def delete_connector(
        self, info: Info, input: Annotated[DeleteConnectorInput, argument("Which one.")]
    ) -> ConnectorPayload:
        deleted = await connectors.delete_connector(
            info.context,
            input.organization_id,
            input.application_id,
            input.document_id,
            input.if_updated_at,
        )
        return ConnectorPayload(connector=deleted)  # type: ignore[arg-type]  # a record
