"""Configuration entries in the graph."""

import strawberry

from schema.engine.fields import shown
from schema.engine.scalars import JSON


@strawberry.type(description="One entry of a configuration.")
class ConfigEntry:
    key: str = shown("Its name.")
    value: JSON | None = shown("Its value.")
