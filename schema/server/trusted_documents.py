"""Trusted documents: a client sends the id of a document that was written when the client was built.

The manifest is the file that the client preset of GraphQL Code Generator writes: an object of documents by
id, which is a hash. https://the-guild.dev/graphql/codegen/plugins/presets/preset-client#persisted-documents
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from graphql import GraphQLError, GraphQLSchema, parse, validate

from schema.server.bodies import BadRequest
from schema.server.yaml_file import SettingsError
from stores.contracts.errors import Forbidden, NotFound

MAX_MANIFEST_BYTES = 64 * 1024 * 1024


class UnknownDocument(BadRequest):
    """No trusted document has the id that a request sends."""

    code = NotFound.code


class UntrustedDocument(BadRequest):
    """A request sends a document, and only trusted ones are executed."""

    code = Forbidden.code


class TrustedDocuments:
    """The documents of a manifest, by id. With `only`, no others are executed except for operators."""

    def __init__(self, documents: Mapping[str, str], *, only: bool = False) -> None:
        self._documents, self._only = documents, only

    def __len__(self) -> int:
        return len(self._documents)

    def find(self, document_id: str) -> str:
        """The document of an id, which may begin with `sha256:`. Raises `UnknownDocument`."""
        document = self._documents.get(document_id) or self._documents.get(
            document_id.removeprefix("sha256:")
        )
        if document is None:
            raise UnknownDocument(
                404, "No trusted document has this documentId: the gateway needs the manifest of your client."
            )
        return document

    def check_untrusted(self, *, is_operator: bool) -> None:
        """Raise `UntrustedDocument` unless documents may be sent that are not in the manifest."""
        if self._only and not is_operator:
            raise UntrustedDocument(403, "Only trusted documents are executed: send a documentId.")


def load_manifest(path: Path, schema: GraphQLSchema) -> dict[str, str]:
    """The documents of a manifest by id, all of them valid. Raises `SettingsError`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"graphql.documents: {path}: {error.strerror}") from None
    if len(content) > MAX_MANIFEST_BYTES:
        raise SettingsError(f"graphql.documents: {path}: the file is longer than {MAX_MANIFEST_BYTES} bytes")
    try:
        documents: Any = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise SettingsError(f"graphql.documents: {path}, line {error.lineno}: {error.msg}") from None
    if not isinstance(documents, dict) or not {str}.issuperset(map(type, documents.values())):
        raise SettingsError(f"graphql.documents: {path}: the file has to be an object of documents by id")
    for document_id, text in documents.items():
        _check(f"graphql.documents: {path}: {document_id}", text, schema)
    return documents


def _check(what: str, text: str, schema: GraphQLSchema) -> None:
    try:
        errors = validate(schema, parse(text))
    except GraphQLError as error:
        errors = [error]
    if errors:
        raise SettingsError(f"{what}: {errors[0].message}")
