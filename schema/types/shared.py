"""Types that several modules name: arguments of lists, and entities that refer to each other."""

from typing import Annotated

import strawberry

from schema.engine.fields import argument

First = Annotated[int | None, argument("How many, at most 1000; 50 when it is not given.")]
After = Annotated[str | None, argument("The cursor to go on behind.")]

# Entities refer to each other in both directions; these references are resolved when the schema is built.
ORGANIZATION = Annotated["Organization", strawberry.lazy("schema.types.organizations")]  # type: ignore[name-defined]  # noqa: F821
APPLICATION = Annotated["Application", strawberry.lazy("schema.types.applications")]  # type: ignore[name-defined]  # noqa: F821
CONNECTOR = Annotated["Connector", strawberry.lazy("schema.types.connectors")]  # type: ignore[name-defined]  # noqa: F821
EVENT_CLASS = Annotated["EventClass", strawberry.lazy("schema.types.event_classes")]  # type: ignore[name-defined]  # noqa: F821
