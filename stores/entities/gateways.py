"""Gateways of an organization as they are kept."""

from stores.contracts.records import Record, Stored, optional, read_string


class Gateway(Record):
    __slots__ = ()

    gateway_id = Stored(read_string, "gatewayId", default="")
    name = Stored(read_string, "name", default="")
    location = optional(read_string, "location")
    status = Stored(read_string, "status", default="connected")
