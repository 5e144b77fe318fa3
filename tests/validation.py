"""Documents that tests send to hundreds of applications: each is validated once in a process."""

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import DocumentNode, GraphQLError, GraphQLSchema

from schema.engine import documents
from schema.engine.validation import validate

OPTIONS = ("rules", "max_errors", "hide_suggestions")  # on which the errors depend


@pytest.fixture(scope="session", autouse=True)
def validated_once() -> Iterator[None]:
    """Remember the errors of a text; the cache of an application lives no longer than its test."""
    known: dict[Any, list[GraphQLError]] = {}

    def validate_once(schema: GraphQLSchema, document: DocumentNode, **options: Any) -> list[GraphQLError]:
        assert document.loc
        key = schema, document.loc.source.body, *(options[name] for name in OPTIONS)
        if key not in known:
            known[key] = validate(schema, document, **options)
        return list(known[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "validate", validate_once)
        yield
