"""Gateways: the boxes on the shop floor of an organization."""

from stores.contracts.documents import Order
from stores.contracts.records import Stored, optional, read_string
from stores.entities.entity import ORGANIZATION, Entity


class Gateway(Entity):
    """A box on the shop floor that machines are read through."""

    __slots__ = ()

    scope = ORGANIZATION
    collection = "gateways"
    node_kind = "Gateway"
    document_kind = "gateways"
    unique = (("gatewayId",),)
    indexes = ("createdAt",)
    secrets = ()
    order = Order(("createdAt",), descending=True)

    gateway_id = Stored(read_string, "gatewayId", default="")
    name = Stored(read_string, "name", default="")
    location = optional(read_string, "location")
    status = Stored(read_string, "status", default="connected")
