"""Organizations: two documents of `config` in a database that is named by the organization's id."""

import re
from typing import Any

from stores.contracts.documents import Document
from stores.contracts.records import optional, read_object, read_string
from stores.entities.applications import Application
from stores.entities.entity import ORGANIZATION, Entity

ORGANIZATION_KEY, APPLICATIONS_KEY = "organization", "applications"  # the keys of the two documents
_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}")
_SYSTEM = {"admin", "local", "config"}


def is_organization_id(value: str) -> bool:
    """Whether a string can name an organization, and with it a database of its own."""
    return _NAME.fullmatch(value) is not None and value.lower() not in _SYSTEM


class Organization(Entity):
    """`document` is the value of the organization's document, `applications_value` that of the other."""

    __slots__ = ("applications_value",)
    organization_id: str

    scope = ORGANIZATION
    collection = "config"
    node_kind = "Organization"
    document_kind = None
    unique = (("key",),)
    indexes = ("key",)
    secrets = ()
    is_document = False

    stored_name = optional(read_string, "name")
    description = optional(read_string, "description")
    email = optional(read_string, "email")
    website = optional(read_string, "website")
    status = optional(read_string, "status")

    def __init__(self, organization_id: str, entries: list[Document]) -> None:
        values = {entry.get("key"): read_object(entry.get("value")) for entry in entries}
        super().__init__(values.get(ORGANIZATION_KEY, {}), organization_id)
        self.applications_value: dict[str, Any] = values.get(APPLICATIONS_KEY, {})

    @property
    def name(self) -> str:
        return self.stored_name or self.organization_id

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of its registered applications, by id."""
        return read_object(self.applications_value.get("applicationSettings"))

    @property
    def applications(self) -> list[Application]:
        return [
            Application(read_object(value), self.organization_id, application_id)
            for application_id, value in self.settings.items()
        ]

    @property
    def default_application_id(self) -> str | None:
        return read_string(self.applications_value.get("defaultApplication"))
