"""Inputs of mutations: the values that a client provided, under the keys that they are stored by."""

from typing import Any

import strawberry

UNSET: Any = strawberry.UNSET


def required(description: str) -> Any:
    """A field that a client has to provide."""
    return strawberry.field(description=description)


def optional(description: str, default: Any = UNSET) -> Any:
    """A field that a client may leave out. It is UNSET then, which differs from null."""
    return strawberry.field(description=description, default=default)


def select_provided_values(source: object, *names: str, **renamed: str) -> dict[str, Any]:
    """The fields of an input that the client provided.

    `names` keep their names; `renamed` maps the stored key to the attribute: `stored="attribute"`.
    """
    attributes = {**{name: name for name in names}, **renamed}
    values = {key: getattr(source, attribute) for key, attribute in attributes.items()}
    return {key: value for key, value in values.items() if value is not UNSET}


def merge_with_document(document: Any, values: dict[str, Any]) -> Any:
    """A whole document, as clients of the old API send it, with the values of the other fields in it."""
    if document is UNSET or document is None:
        return values
    return {**document, **values} if isinstance(document, dict) else document


IF_UPDATED_AT = (
    "The `updatedAt` that you have read. If the stored one differs, nothing is changed and "
    "the error is `CONFLICT`."
)
DOCUMENT = (
    "Further fields to store, in the shape that the old REST API uses. Fields that the "
    "server sets are ignored."
)
