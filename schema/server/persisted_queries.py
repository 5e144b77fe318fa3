"""Automatic persisted queries: a client sends the hash of a document in place of the document.

The protocol is Apollo's. A client first sends only the hash. If the gateway does not know it, the client once
sends the hash with the document, and from then on only the hash.
https://www.apollographql.com/docs/apollo-server/performance/apq
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache

from schema.server.bodies import BadRequest
from stores.contracts.errors import BadUserInput

MAX_CACHED_CHARACTERS = 8 * 1024 * 1024  # of all documents together; the least recently used go first
SHA256 = re.compile("[0-9a-fA-F]{64}")
NOT_CACHED = {"Cache-Control": "private, no-cache, must-revalidate"}


class PersistedQueryError(BadRequest):
    """A persisted query cannot be used. `code` is the `extensions.code` that clients act on."""

    def __init__(self, status: int, message: str, code: str) -> None:
        super().__init__(status, message, **NOT_CACHED)
        self.code = code


@dataclass(frozen=True, slots=True)
class PersistedQuery:
    """The SHA-256 of a document, as 64 lower-case hex digits."""

    sha256: str

    @classmethod
    def parse(cls, extensions: dict[str, Any] | None) -> "PersistedQuery | None":
        """The persisted query in a request's `extensions`, if there is one. Raises `BadRequest`."""
        value = (extensions or {}).get("persistedQuery")
        if value is None:
            return None
        if not isinstance(value, dict):
            raise BadRequest(400, "extensions.persistedQuery must be an object.")
        version = value.get("version")
        if isinstance(version, bool) or version != 1:
            raise PersistedQueryError(200, "PersistedQueryNotSupported", "PERSISTED_QUERY_NOT_SUPPORTED")
        sha256 = value.get("sha256Hash")
        if not isinstance(sha256, str) or not SHA256.fullmatch(sha256):
            raise BadRequest(400, "extensions.persistedQuery.sha256Hash must be 64 hex digits.")
        return cls(sha256.lower())


class PersistedQueries:
    """The documents that clients have registered. Those used least recently are dropped."""

    def __init__(self, max_characters: int = MAX_CACHED_CHARACTERS) -> None:
        self._documents: LRUCache[str, str] = LRUCache(max_characters, getsizeof=len)

    def __len__(self) -> int:
        return len(self._documents)

    def find_document(self, document: str | None, persisted: PersistedQuery | None) -> str:
        """The document to execute. Raises `BadRequest` if there is none, or if it does not match its hash."""
        if persisted is None:
            if document is None:
                raise BadRequest(400, "query must be a string that contains a GraphQL document.")
            return document
        if document is None:
            document = self._documents.get(persisted.sha256)
            if document is None:
                # The status, the message and the code are what Apollo's and urql's clients expect.
                raise PersistedQueryError(200, "PersistedQueryNotFound", "PERSISTED_QUERY_NOT_FOUND")
        elif hashlib.sha256(document.encode()).hexdigest() != persisted.sha256:
            raise PersistedQueryError(400, "The query does not match its sha256Hash.", BadUserInput.code)
        return document

    def remember(self, document: str, persisted: PersistedQuery | None) -> None:
        """Store a document under its hash. Call it only for valid documents, which are worth the memory."""
        if persisted is not None and len(document) <= self._documents.maxsize:
            self._documents[persisted.sha256] = document
