"""Gateways of an organization."""

from typing import Any

from bson import ObjectId

from resolvers.context import Context
from resolvers.rules.checks import check_value, require_name
from resolvers.rules.repository import Repository
from resolvers.scopes import open_repository
from stores.contracts.documents import utc_now
from stores.contracts.errors import Conflict
from stores.entities.gateways import Gateway


async def list_gateways(context: Context, organization_id: str) -> list[Gateway]:
    """The gateways, newest first."""
    return await Repository(context, Gateway, organization_id).list_all()


async def create_gateway(context: Context, organization_id: str, values: dict[str, Any]) -> Gateway:
    """Create a gateway. Raises `Conflict` if the organization has one with its id."""
    gateways = await open_repository(context, Gateway, organization_id)
    time = utc_now()
    document = {
        "_id": ObjectId(),
        "gatewayId": require_name(values.get("gatewayId"), "gatewayId"),
        "name": require_name(values.get("name"), "name"),
        "location": check_value(values.get("location"), "location"),
        "status": check_value(values.get("status") or "connected", "status"),
        "createdAt": time,
        "updatedAt": time,
    }
    taken = Conflict("Gateway with this gatewayId already exists", fields=["gatewayId"])
    return await gateways.insert(document, conflict=taken)
