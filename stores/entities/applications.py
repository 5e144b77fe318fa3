"""Applications as they are kept: all of an organization's in one document, by id."""

from stores.contracts.records import Record, empty_if_missing, optional, text, texts


class Application(Record):
    __slots__ = ()
    organization_id: str
    application_id: str

    stored_name = optional(text, "name")
    description = optional(text, "description")
    status = optional(text, "status")
    collections = empty_if_missing(texts, "collections")

    @property
    def name(self) -> str:
        return self.stored_name or self.application_id


def settings_path(application_id: str, *keys: str) -> tuple[str, ...]:
    return ("value", "applicationSettings", application_id, *keys)
