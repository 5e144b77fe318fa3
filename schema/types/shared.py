"""What several modules share: arguments of lists, inputs, and entities that refer to each other."""

from typing import Annotated, Any

import strawberry

from resolvers.context import Context
from resolvers.rules.repetitions import run_once_per_key
from schema.engine.fields import Info, argument
from schema.engine.inputs import required
from schema.engine.scalars import to_json

First = Annotated[
    int | None, argument("The maximum number of nodes to return: 50 by default, and at most 1000.")
]
After = Annotated[
    str | None, argument("A cursor from this list. The page starts with the first node after it.")
]
OrganizationId = Annotated[str, argument("The id of the organization.")]
ApplicationId = Annotated[str, argument("The id of the application.")]

MachineId = Annotated[str, argument("The machine id of the device.")]

CREATED_AT = "The time when it was created, if known."
UPDATED_AT = "The time of its latest change, if known."
DOCUMENT_ID = "The id of its document in the store (`_id`)."
IN_ORGANIZATION = "The organization that it belongs to."
IN_APPLICATION = "The application that it belongs to."
STORED_DOCUMENT = "The whole document as it is stored."
STORED_DOCUMENT_MASKED = "The whole document as it is stored. Secrets are masked, or left out for viewers."
IDEMPOTENCY_KEY = (
    "A key of your choice, such as a UUID. If you repeat the mutation with the same key within 24 hours, it "
    "returns the first result. The same key with another input is a `CONFLICT`."
)

# Entities refer to each other in both directions; these references are resolved when the schema is built. The
# linters take the names in quotes for variables.
ORGANIZATION = Annotated["Organization", strawberry.lazy("schema.types.organizations")]  # type: ignore[name-defined]  # noqa: F821
APPLICATION = Annotated["Application", strawberry.lazy("schema.types.applications")]  # type: ignore[name-defined]  # noqa: F821
DEVICE = Annotated["Device", strawberry.lazy("schema.types.devices")]  # type: ignore[name-defined]  # noqa: F821
CONNECTOR = Annotated["Connector", strawberry.lazy("schema.types.connectors")]  # type: ignore[name-defined]  # noqa: F821
EVENT_CLASS = Annotated["EventClass", strawberry.lazy("schema.types.event_classes")]  # type: ignore[name-defined]  # noqa: F821


@strawberry.input
class ApplicationScope:
    """The base of inputs that name an application."""

    organization_id: str = required("The id of the organization.")
    application_id: str = required("The id of the application.")


def get_context_of_creation(info: Info, source: Any) -> Context:
    """The context in which a creation is applied once for each `idempotencyKey` of its input."""
    request = type(source).__name__.encode() + to_json(source)
    return run_once_per_key(info.context, source.idempotency_key, request)
