"""Organizations as they are kept: two entries of `config` in a database of their name."""

import re
from typing import Any

from stores.contracts.documents import Document
from stores.contracts.records import Record, optional, read_object, read_string
from stores.entities.applications import Application

ORGANIZATION, APPLICATIONS = "organization", "applications"  # the keys of `config`
_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}")
_SYSTEM = {"admin", "local", "config"}


def is_name(organization_id: str) -> bool:
    """Whether an id can name an organization, and with it a database of its own."""
    return _NAME.fullmatch(organization_id) is not None and organization_id.lower() not in _SYSTEM


class Organization(Record):
    """`document` is the value of the organization entry; `applications` that of the other."""

    __slots__ = ("applications_value",)
    organization_id: str

    stored_name = optional(read_string, "name")
    description = optional(read_string, "description")
    email = optional(read_string, "email")
    website = optional(read_string, "website")
    status = optional(read_string, "status")

    def __init__(self, organization_id: str, entries: list[Document]) -> None:
        values = {entry.get("key"): read_object(entry.get("value")) for entry in entries}
        super().__init__(values.get(ORGANIZATION, {}), organization_id)
        self.applications_value: dict[str, Any] = values.get(APPLICATIONS, {})

    @property
    def name(self) -> str:
        return self.stored_name or self.organization_id

    @property
    def settings(self) -> dict[str, Any]:
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
