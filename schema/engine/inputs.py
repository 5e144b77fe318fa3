"""Inputs of mutations: what was given, under the names it is stored by."""

from typing import Any

import strawberry

UNSET: Any = strawberry.UNSET


def required(description: str) -> Any:
    """A field that has to be given."""
    return strawberry.field(description=description)


def optional(description: str, default: Any = UNSET) -> Any:
    """A field that need not be given: then nothing is said of it, which is not null."""
    return strawberry.field(description=description, default=default)


def given(source: object, *names: str, **renamed: str) -> dict[str, Any]:
    """The fields of an input that were given: `names` as they are, `renamed` as stored="attribute"."""
    pairs = {**{name: name for name in names}, **renamed}
    found = ((stored, getattr(source, attribute)) for stored, attribute in pairs.items())
    return {stored: value for stored, value in found if value is not UNSET}


def with_document(document: Any, values: dict[str, Any]) -> Any:
    """A whole document as clients of the old API send it, and the fields given beside it."""
    if document is UNSET or document is None:
        return values
    return {**document, **values} if isinstance(document, dict) else document


IF_UPDATED_AT = "Change it only if this is still its `updatedAt`; else the answer is CONFLICT."
DOCUMENT = "Further fields to store, as the old API takes them; the server's own fields are ignored."
