"""Connectors as they are kept: `connectors` of an organization, `{applicationId}_connectors`."""

from stores.contracts.records import Record, Stored, empty_if_missing, mapping, optional, text


class Connector(Record):
    __slots__ = ()

    name = Stored(text, "name", default="")
    driver = Stored(text, "driver", default="")
    description = optional(text, "description")
    properties = empty_if_missing(mapping, "properties")
    collections = empty_if_missing(mapping, "collections")
