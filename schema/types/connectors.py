"""Connectors in the graph: templates of an organization, and those of its applications."""

from typing import Annotated, Any

import strawberry

from resolvers import connectors, scopes
from resolvers.rules.masks import show_secrets
from schema.engine.fields import Info, argument, as_type, attribute, derived, find_selected_keys, mutation
from schema.engine.inputs import (
    DOCUMENT,
    IF_UPDATED_AT,
    merge_with_document,
    optional,
    required,
    select_provided_values,
)
from schema.engine.scalars import JSON, DateTime
from schema.types.device_lists import NODES
from schema.types.devices import Device
from schema.types.node import Node
from schema.types.paging import Connection
from schema.types.shared import (
    APPLICATION,
    CREATED_AT,
    DOCUMENT_ID,
    IDEMPOTENCY_KEY,
    IN_ORGANIZATION,
    ORGANIZATION,
    STORED_DOCUMENT_MASKED,
    UPDATED_AT,
    After,
    First,
    get_context_of_creation,
)
from stores.entities import connectors as stored
from stores.entities.devices import Device as StoredDevice


@strawberry.type(
    description="A way to read machines: a driver and its settings. An organization's connectors are "
    "templates for those of its applications."
)
class Connector(Node):
    document_id: str = attribute(DOCUMENT_ID)
    name: str = attribute("The name, by which devices refer to the connector.")
    driver: str = attribute("The driver, such as `fanuc` or `mtconnect`.")
    description: str | None = attribute("A description of what the connector is used for.")
    collections: JSON = attribute(
        "The variables that the connector reads, as an object: the key is the name of a "
        "collection, and the value tells whether it is enabled and lists its variables."
    )
    created_at: DateTime | None = attribute(CREATED_AT)
    updated_at: DateTime | None = attribute(UPDATED_AT)

    @derived(
        "The settings of the driver. Secrets are masked, or left out for viewers.",
        JSON,
        needs=("properties",),
    )
    def properties(root: strawberry.Parent[stored.Connector], info: Info) -> Any:
        return show_secrets(info.context, {"properties": root.properties})["properties"]

    @derived(STORED_DOCUMENT_MASKED, JSON)
    def document(root: strawberry.Parent[stored.Connector], info: Info) -> Any:
        return show_secrets(info.context, root.document)

    @derived(
        "The application that it belongs to, or null if it belongs to the organization itself.",
        APPLICATION | None,
        needs=(),
    )
    async def application(root: strawberry.Parent[stored.Connector], info: Info) -> Any:
        assert root.organization_id is not None
        return root.application_id and await scopes.get_application(
            info.context, root.organization_id, root.application_id
        )

    @derived(IN_ORGANIZATION, ORGANIZATION, needs=())
    async def organization(root: strawberry.Parent[stored.Connector], info: Info) -> Any:
        assert root.organization_id is not None
        return await scopes.require_organization(info.context, root.organization_id)

    @derived(
        "The devices that refer to the connector by its name. Those of a template are ordered by "
        "application id.",
        Connection[Device] | None,
        needs=("name",),
    )
    async def devices(
        root: strawberry.Parent[stored.Connector], info: Info, first: First = None, after: After = None
    ) -> Any:
        keys = find_selected_keys(info, StoredDevice, "Device", *NODES)
        return await connectors.list_devices_of_connector(info.context, root, first, after, keys)


@strawberry.input(
    description="A new connector of an application or, without `applicationId`, of an organization."
)
class CreateConnectorInput:
    organization_id: str = required("The id of the organization.")
    application_id: str | None = optional(
        "The id of the application. Leave it out for a connector of the organization itself.", None
    )
    name: str | None = optional("The name. It is required here or in `document`.")
    driver: str | None = optional("The driver, such as `fanuc`. It is required here or in `document`.")
    description: str | None = optional("A description of what the connector is used for.")
    properties: JSON | None = optional(
        "The settings of the driver. A masked value takes the secret of the organization's "
        "connector with the same driver."
    )
    collections: JSON | None = optional("The variables to read, in the shape of `Connector.collections`.")
    document: JSON | None = optional(DOCUMENT)
    idempotency_key: str | None = optional(IDEMPOTENCY_KEY, None)


@strawberry.input(
    description="A change of a connector. Each provided field replaces the stored one as a whole, and "
    "fields that are left out keep their values."
)
class UpdateConnectorInput:
    organization_id: str = required("The id of the organization.")
    application_id: str | None = optional(
        "The id of the application. Leave it out for a connector of the organization itself.", None
    )
    document_id: str = required("The `documentId` of the connector.")
    name: str | None = optional("The new name.")
    driver: str | None = optional("The new driver.")
    description: str | None = optional("A description of what the connector is used for.")
    properties: JSON | None = optional(
        "The new settings of the driver. A masked value keeps the stored secret."
    )
    collections: JSON | None = optional("The variables to read, in the shape of `Connector.collections`.")
    document: JSON | None = optional(DOCUMENT)
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.input(description="The connector to delete.")
class DeleteConnectorInput:
    organization_id: str = required("The id of the organization.")
    application_id: str | None = optional(
        "The id of the application. Leave it out for a connector of the organization itself.", None
    )
    document_id: str = required("The `documentId` of the connector.")
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.type(description="The connector after the mutation or, if it was deleted, before it.")
class ConnectorPayload:
    connector: Connector | None = attribute("The connector that was created, changed or deleted.")


SETTINGS = ("name", "driver", "description", "properties", "collections")


@strawberry.type
class ConnectorMutations:
    @mutation("Creates a connector of an application or of an organization.")
    async def create_connector(
        self, info: Info, input: Annotated[CreateConnectorInput, argument("The new connector.")]
    ) -> ConnectorPayload | None:
        values = merge_with_document(input.document, select_provided_values(input, *SETTINGS))
        created = await connectors.create_connector(
            get_context_of_creation(info, input), input.organization_id, input.application_id, values
        )
        return ConnectorPayload(connector=as_type(Connector, created))

    @mutation("Changes a connector.")
    async def update_connector(
        self,
        info: Info,
        input: Annotated[UpdateConnectorInput, argument("The change, and the connector to apply it to.")],
    ) -> ConnectorPayload | None:
        changed = await connectors.update_connector(
            info.context,
            input.organization_id,
            input.application_id,
            input.document_id,
            merge_with_document(input.document, select_provided_values(input, *SETTINGS)),
            input.if_updated_at,
        )
        return ConnectorPayload(connector=as_type(Connector, changed))

    @mutation("Deletes a connector.")
    async def delete_connector(
        self, info: Info, input: Annotated[DeleteConnectorInput, argument("The connector to delete.")]
    ) -> ConnectorPayload | None:
        deleted = await connectors.delete_connector(
            info.context,
            input.organization_id,
            input.application_id,
            input.document_id,
            input.if_updated_at,
        )
        return ConnectorPayload(connector=as_type(Connector, deleted))
