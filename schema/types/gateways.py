"""Gateways in the graph."""

from typing import Annotated, Any

import strawberry

from resolvers import gateways, scopes
from schema.engine.fields import Info, argument, as_type, attribute, derived, mutation
from schema.engine.inputs import IF_UPDATED_AT, optional, required, select_provided_values
from schema.engine.scalars import JSON, DateTime
from schema.types.node import Node
from schema.types.shared import (
    CREATED_AT,
    DOCUMENT_ID,
    IDEMPOTENCY_KEY,
    IN_ORGANIZATION,
    ORGANIZATION,
    STORED_DOCUMENT,
    UPDATED_AT,
    get_context_of_creation,
)
from stores.entities import gateways as stored


@strawberry.type(description="A device on the shop floor through which machines are read.")
class Gateway(Node):
    document_id: str = attribute(DOCUMENT_ID)
    gateway_id: str = attribute("The id of the gateway, which is unique within the organization.")
    name: str = attribute("The name of the gateway.")
    location: str | None = attribute("The place where the gateway is installed.")
    status: str = attribute("The status, such as `connected`.")
    created_at: DateTime | None = attribute(CREATED_AT)
    updated_at: DateTime | None = attribute(UPDATED_AT)

    @derived(STORED_DOCUMENT, JSON)
    def document(root: strawberry.Parent[stored.Gateway]) -> Any:
        return root.document

    @derived(IN_ORGANIZATION, ORGANIZATION)
    async def organization(root: strawberry.Parent[stored.Gateway], info: Info) -> Any:
        assert root.organization_id is not None
        return await scopes.require_organization(info.context, root.organization_id)


@strawberry.input(description="A new gateway.")
class CreateGatewayInput:
    organization_id: str = required("The id of the organization.")
    gateway_id: str = required("The id of the gateway, which is unique within the organization.")
    name: str = required("The name of the gateway.")
    location: str | None = optional("The place where the gateway is installed.")
    status: str | None = optional("The status; `connected` by default.")
    idempotency_key: str | None = optional(IDEMPOTENCY_KEY, None)


@strawberry.input(description="A change of a gateway. Fields that are left out stay unchanged.")
class UpdateGatewayInput:
    organization_id: str = required("The id of the organization.")
    gateway_id: str = required("The id of the gateway.")
    new_gateway_id: str | None = optional("A new id, which is unique within the organization.")
    name: str | None = optional("The name of the gateway.")
    location: str | None = optional("The place where the gateway is installed.")
    status: str | None = optional("The status, such as `connected`.")
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.input(description="The gateway to delete.")
class DeleteGatewayInput:
    organization_id: str = required("The id of the organization.")
    gateway_id: str = required("The id of the gateway.")
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.type(description="The gateway after the mutation or, if it was deleted, before it.")
class GatewayPayload:
    gateway: Gateway | None = attribute("The gateway that was created, changed or deleted.")


@strawberry.type
class GatewayMutations:
    @mutation("Creates a gateway of an organization.")
    async def create_gateway(
        self, info: Info, input: Annotated[CreateGatewayInput, argument("The new gateway.")]
    ) -> GatewayPayload | None:
        values = select_provided_values(input, "name", "location", "status", gatewayId="gateway_id")
        created = await gateways.create_gateway(
            get_context_of_creation(info, input), input.organization_id, values
        )
        return GatewayPayload(gateway=as_type(Gateway, created))

    @mutation("Changes a gateway of an organization.")
    async def update_gateway(
        self,
        info: Info,
        input: Annotated[UpdateGatewayInput, argument("The change, and the gateway to apply it to.")],
    ) -> GatewayPayload | None:
        values = select_provided_values(input, "name", "location", "status", gatewayId="new_gateway_id")
        changed = await gateways.update_gateway(
            info.context, input.organization_id, input.gateway_id, values, input.if_updated_at
        )
        return GatewayPayload(gateway=as_type(Gateway, changed))

    @mutation("Deletes a gateway of an organization.")
    async def delete_gateway(
        self, info: Info, input: Annotated[DeleteGatewayInput, argument("The gateway to delete.")]
    ) -> GatewayPayload | None:
        deleted = await gateways.delete_gateway(
            info.context, input.organization_id, input.gateway_id, input.if_updated_at
        )
        return GatewayPayload(gateway=as_type(Gateway, deleted))
