"""Gateways of an organization as they are kept."""

from stores.contracts.records import Record, Stored, optional, text


class Gateway(Record):
    __slots__ = ()

    gateway_id = Stored(text, "gatewayId", default="")
    name = Stored(text, "name", default="")
    location = optional(text, "location")
    status = Stored(text, "status", default="connected")
