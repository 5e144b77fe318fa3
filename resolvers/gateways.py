"""Gateways of an organization."""

from typing import Any

from bson import ObjectId

from resolvers.context import Context
from resolvers.organizations import require_organization
from resolvers.rules.checks import check_value, require_name
from stores.contracts.documents import Order, Query, equals, utc_now
from stores.contracts.errors import Conflict
from stores.entities.collections import GATEWAYS
from stores.entities.gateways import Gateway

NEWEST_FIRST = Order(("createdAt",), descending=True)


async def list_gateways(context: Context, organization_id: str) -> list[Gateway]:
    """The gateways, newest first."""
    loader = context.viewer.tenant(organization_id).loaders.pages(GATEWAYS)
    return [Gateway(each, organization_id) for each in await loader.load(Query(order=NEWEST_FIRST))]


async def get_gateway(context: Context, organization_id: str, document_id: Any) -> Gateway | None:
    loader = context.viewer.tenant(organization_id).loaders.pages(GATEWAYS)
    found = await loader.load(Query(where=(equals("_id", document_id),), limit=1))
    return Gateway(found[0], organization_id) if found else None


async def create_gateway(context: Context, organization_id: str, values: dict[str, Any]) -> Gateway:
    """Keep a new gateway. Raises `Conflict` where the organization has one of its id."""
    tenant = context.viewer.tenant(organization_id)
    await require_organization(context, organization_id)
    time = utc_now()
    kept = {
        "_id": ObjectId(),
        "gatewayId": require_name(values.get("gatewayId"), "gatewayId"),
        "name": require_name(values.get("name"), "name"),
        "location": check_value(values.get("location"), "location"),
        "status": check_value(values.get("status") or "connected", "status"),
        "createdAt": time,
        "updatedAt": time,
    }
    try:
        await tenant.documents.insert(GATEWAYS, kept)
    except Conflict:
        raise Conflict("Gateway with this gatewayId already exists", fields=["gatewayId"]) from None
    return Gateway(kept, organization_id)
