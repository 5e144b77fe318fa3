"""Applications as they are kept: all of an organization's in one document, by id."""

from stores.contracts.records import Record, empty_if_missing, optional, read_string, read_strings


class Application(Record):
    __slots__ = ()
    organization_id: str
    application_id: str

    stored_name = optional(read_string, "name")
    description = optional(read_string, "description")
    status = optional(read_string, "status")
    collections = empty_if_missing(read_strings, "collections")

    @property
    def name(self) -> str:
        return self.stored_name or self.application_id


def settings_path(application_id: str, *keys: str) -> tuple[str, ...]:
    return ("value", "applicationSettings", application_id, *keys)
