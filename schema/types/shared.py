"""What several modules share: arguments of lists, inputs, and entities that refer to each other."""

from typing import Annotated

import strawberry

from schema.engine.fields import argument
from schema.engine.inputs import required

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
STORED_DOCUMENT_MASKED = "The whole document as it is stored. Secrets are masked."

# Entities refer to each other in both directions; these references are resolved when the schema is built.
ORGANIZATION = Annotated["Organization", strawberry.lazy("schema.types.organizations")]  # type: ignore[name-defined]  # noqa: F821
APPLICATION = Annotated["Application", strawberry.lazy("schema.types.applications")]  # type: ignore[name-defined]  # noqa: F821
CONNECTOR = Annotated["Connector", strawberry.lazy("schema.types.connectors")]  # type: ignore[name-defined]  # noqa: F821
EVENT_CLASS = Annotated["EventClass", strawberry.lazy("schema.types.event_classes")]  # type: ignore[name-defined]  # noqa: F821


@strawberry.input
class ApplicationScope:
    """The base of inputs that name an application."""

    organization_id: str = required("The id of the organization.")
    application_id: str = required("The id of the application.")
