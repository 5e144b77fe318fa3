"""Gateways of an organization."""

from datetime import datetime
from typing import Any

from bson import ObjectId

from resolvers.context import Context
from resolvers.rules.checks import check_value, require_name
from resolvers.rules.repository import Repository
from resolvers.scopes import open_repository
from stores.contracts.documents import Change, Touch, equals, utc_now
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
    return await gateways.insert(document, conflict=_make_conflict())


async def update_gateway(
    context: Context,
    organization_id: str,
    gateway_id: str,
    values: dict[str, Any],
    if_updated_at: datetime | None,
) -> Gateway:
    """Set the given fields. Raises `NotFound`, and `Conflict` if another gateway has the new id."""
    change = Change(
        set={
            (name,): check_value(value, name) if name == "location" else require_name(value, name)
            for name, value in values.items()
        },
        touch=Touch(("updatedAt",)),
    )
    gateways = await open_repository(context, Gateway, organization_id)
    condition = equals("gatewayId", gateway_id)
    return await gateways.update([condition], change, if_updated_at=if_updated_at, conflict=_make_conflict())


async def delete_gateway(
    context: Context, organization_id: str, gateway_id: str, if_updated_at: datetime | None
) -> Gateway:
    """Delete a gateway and return it as it was. Raises `NotFound` and `Conflict`."""
    gateways = await open_repository(context, Gateway, organization_id)
    return await gateways.delete([equals("gatewayId", gateway_id)], if_updated_at=if_updated_at)


def _make_conflict() -> Conflict:
    return Conflict("Gateway with this gatewayId already exists", fields=["gatewayId"])
