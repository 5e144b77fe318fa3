"""Connectors: those of an application, and those of an organization, which are templates."""

from stores.contracts.records import Stored, optional, read_object, read_or_empty, read_string
from stores.entities.entity import APPLICATION, ORGANIZATION, Entity


class Connector(Entity):
    """How machines of an application are read: a driver and its settings."""

    __slots__ = ()

    scope = APPLICATION
    collection = "{application_id}_connectors"
    node_kind = "Connector"
    document_kind = "connectors"
    unique = (("name",),)
    indexes = ()
    secrets = ("properties",)

    name = Stored(read_string, "name", default="")
    driver = Stored(read_string, "driver", default="")
    description = optional(read_string, "description")
    properties = read_or_empty(read_object, "properties")
    collections = read_or_empty(read_object, "collections")


class ConnectorTemplate(Connector):
    """A connector of an organization, which its applications may use and copy."""

    __slots__ = ()

    scope = ORGANIZATION
    collection = "connectors"
    node_kind = "Connector"
    document_kind = "templates"
    unique = (("name",),)
    indexes = ()
    secrets = ("properties",)
