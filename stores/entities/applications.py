"""Applications: all of an organization's are stored in one document of its `config`, by id."""

from stores.contracts.records import optional, read_or_empty, read_string, read_strings, read_time
from stores.entities.entity import ORGANIZATION, Entity
from stores.entities.shift_plans import read_shift_plan

SHIFT_PLAN = "shiftPlan"


class Application(Entity):
    """The settings of an application: one object in the document of all applications."""

    __slots__ = ()
    organization_id: str
    application_id: str

    scope = ORGANIZATION
    collection = "config"
    node_kind = "Application"
    document_kind = None
    unique = (("key",),)
    indexes = ("key",)
    secrets = ()
    is_document = False

    stored_name = optional(read_string, "name")
    description = optional(read_string, "description")
    status = optional(read_string, "status")
    collections = read_or_empty(read_strings, "collections")
    # Keys of the gateway, which old routes do not show
    time_zone = optional(read_string, "timeZone")
    shift_plan = optional(read_shift_plan, SHIFT_PLAN)
    # The gateway has a key of its own, because old routes show `createdAt` if the old system has stored it.
    created_at = optional(read_time, "createdAt", "registeredAt")

    @property
    def name(self) -> str:
        return self.stored_name or self.application_id


def make_settings_path(application_id: str, *keys: str) -> tuple[str, ...]:
    """The path of an application's settings, or of a value in them, in the document of all applications."""
    return ("value", "applicationSettings", application_id, *keys)
