"""Gateways in the graph."""

from typing import Annotated, Any

import strawberry

from resolvers import gateways, organizations
from schema.engine.fields import Info, argument, attribute, derived, mutation
from schema.engine.inputs import optional, provided_values, required
from schema.engine.scalars import JSON, DateTime
from schema.types.node import Node
from schema.types.shared import ORGANIZATION
from stores.entities import gateways as stored


@strawberry.type(description="A box on the shop floor that machines are read through.")
class Gateway(Node):
    document_id: str = attribute("The id in the store.")
    gateway_id: str = attribute("The id, unique within the organization.")
    name: str = attribute("The name.")
    location: str | None = attribute("Where it stands.")
    status: str = attribute("The status, such as `connected`.")
    created_at: DateTime | None = attribute("When it was made.")
    updated_at: DateTime | None = attribute("When it was last changed.")

    @derived("The whole document as it is stored.", JSON)
    def document(root: strawberry.Parent[stored.Gateway]) -> Any:
        return root.document

    @derived("The organization it belongs to.", ORGANIZATION)
    async def organization(root: strawberry.Parent[stored.Gateway], info: Info) -> Any:
        assert root.organization_id is not None
        return await organizations.require_organization(info.context, root.organization_id)


@strawberry.input(description="A new gateway.")
class CreateGatewayInput:
    organization_id: str = required("The organization.")
    gateway_id: str = required("The id, unique within the organization.")
    name: str = required("The name.")
    location: str | None = optional("Where it stands.")
    status: str | None = optional("The status; `connected` when it is not given.")


@strawberry.type(description="The gateway as it is now.")
class GatewayPayload:
    gateway: Gateway = attribute("The gateway.")


@strawberry.type
class GatewayMutations:
    @mutation("Create a gateway.")
    async def create_gateway(
        self, info: Info, input: Annotated[CreateGatewayInput, argument("The gateway.")]
    ) -> GatewayPayload:
        values = provided_values(input, "name", "location", "status", gatewayId="gateway_id")
        created = await gateways.create_gateway(info.context, input.organization_id, values)
        return GatewayPayload(gateway=created)  # type: ignore[arg-type]  # a record
