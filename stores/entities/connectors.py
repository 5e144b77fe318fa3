"""Connectors as they are kept: `connectors` of an organization, `{applicationId}_connectors`."""

from stores.contracts.records import Record, Stored, empty_if_missing, optional, read_object, read_string


class Connector(Record):
    __slots__ = ()

    name = Stored(read_string, "name", default="")
    driver = Stored(read_string, "driver", default="")
    description = optional(read_string, "description")
    properties = empty_if_missing(read_object, "properties")
    collections = empty_if_missing(read_object, "collections")
