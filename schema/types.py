"""Types that several modules name: arguments of lists, and entities that refer to each other."""

from typing import Annotated

import strawberry

from sync_gateway.schema.fields import argument

First = Annotated[int | None, argument("How many, at most 1000; 50 when it is not given.")]
After = Annotated[str | None, argument("The cursor to go on behind.")]

# Entities refer to each other in both directions; these references are resolved when the schema is built.
ORGANIZATION = Annotated["Organization", strawberry.lazy("sync_gateway.schema.organizations")]  # type: ignore[name-defined]  # noqa: F821
APPLICATION = Annotated["Application", strawberry.lazy("sync_gateway.schema.applications")]  # type: ignore[name-defined]  # noqa: F821
CONNECTOR = Annotated["Connector", strawberry.lazy("sync_gateway.schema.connectors")]  # type: ignore[name-defined]  # noqa: F821
EVENT_CLASS = Annotated["EventClass", strawberry.lazy("sync_gateway.schema.event_classes")]  # type: ignore[name-defined]  # noqa: F821
