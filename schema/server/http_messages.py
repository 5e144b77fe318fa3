"""Requests and responses of the endpoints that are asked most, with as little work as possible for each."""

from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope

_ids = Random()  # noqa: S311 - an id tells requests apart; it is no secret


def make_request_id() -> str:
    """An id for a request, unique among all processes: 16 hexadecimal digits."""
    return f"{_ids.getrandbits(64):016x}"


class IndexedHeaders(Headers):
    """The headers of a request. Of several with one name, the first one is its value, as Starlette has it."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope=scope)
        # Reversed, so that the first one of a name is the one that stays.
        self._first: dict[str, str] = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])
        }

    def get(self, key: str, default: Any = None) -> Any:
        return self._first.get(key.lower(), default)

    def __getitem__(self, key: str) -> str:
        return self._first[key.lower()]

    def __contains__(self, key: Any) -> bool:
        return isinstance(key, str) and key.lower() in self._first


class IndexedRequest(Request):
    """A request with `IndexedHeaders`."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        self._headers = IndexedHeaders(scope)

    @property
    def headers(self) -> Headers:
        return self._headers

    @property
    def method(self) -> str:
        method: str = self.scope["method"]
        return method


class EncodedResponse(Response):
    """A response whose body and headers are encoded already."""

    def __init__(self, body: bytes, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self.body, self.status_code, self.background = body, status, None
        self.raw_headers = [*headers, (b"content-length", b"%d" % len(body))]


def add_headers(response: Response, headers: Mapping[str, str]) -> None:
    """Add headers that the response does not have yet."""
    response.raw_headers += [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()
    ]
