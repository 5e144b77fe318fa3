"""Configuration entries in the graph."""

import strawberry

from schema.engine.fields import attribute
from schema.engine.scalars import JSON


@strawberry.type(description="One entry of a configuration.")
class ConfigEntry:
    key: str = attribute("Its name.")
    value: JSON | None = attribute("Its value.")
