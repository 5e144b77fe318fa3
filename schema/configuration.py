"""Configuration entries in the graph."""

import strawberry

from sync_gateway.schema.fields import shown
from sync_gateway.schema.scalars import JSON


@strawberry.type(description="One entry of a configuration.")
class ConfigEntry:
    key: str = shown("Its name.")
    value: JSON | None = shown("Its value.")
