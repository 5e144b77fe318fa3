"""Configuration entries in the graph."""

import strawberry

from schema.engine.fields import attribute
from schema.engine.scalars import JSON


@strawberry.type(description="One entry of a configuration.")
class ConfigEntry:
    key: str = attribute("The name of the entry.")
    value: JSON | None = attribute("The value of the entry, which may be any JSON value.")
