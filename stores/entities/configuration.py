"""Configuration entries of an application: a key and a value each."""

from stores.contracts.records import optional, read_string
from stores.entities.entity import APPLICATION, Entity


class ConfigEntry(Entity):
    """An entry of an application's configuration."""

    __slots__ = ()

    scope = APPLICATION
    collection = "{application_id}_config"
    node_kind = None
    document_kind = "config"
    unique = ()
    indexes = ("key",)
    secrets = ()

    key = optional(read_string, "key")
