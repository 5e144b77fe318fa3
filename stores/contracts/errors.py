"""Every failure that is expected: its class, its GraphQL code and its REST status, in one table.

GatewayError
├── BadUserInput      a value is not valid; `fields` names its path
├── Unauthenticated   there is no credential, or it is not valid
├── Forbidden         the credential does not permit the request
├── NotFound          the requested object does not exist, or the caller must not see it
├── Conflict          the change contradicts what is stored
├── LimitExceeded     the request is over a limit of the gateway
└── Unavailable       a store is down, slow or partly reachable

A message is safe to show: it contains what the caller sent and nothing about the inside.
"""

from collections.abc import Sequence
from typing import Any, ClassVar


class GatewayError(Exception):
    """An expected failure. `extensions` are shown beside the code."""

    code: ClassVar[str]
    rest_status: ClassVar[int]
    by_code: ClassVar[dict[str, type["GatewayError"]]] = {}

    def __init_subclass__(cls, code: str, rest_status: int) -> None:
        if code in GatewayError.by_code:
            raise TypeError(f"two errors share the code {code}")
        cls.code, cls.rest_status = code, rest_status
        GatewayError.by_code[code] = cls

    def __init__(self, message: str, *, fields: Sequence[str] = (), **extensions: Any) -> None:
        super().__init__(message)
        self.message = message
        self.extensions: dict[str, Any] = dict(extensions)
        if fields:
            self.extensions["fields"] = list(fields)


class BadUserInput(GatewayError, code="BAD_USER_INPUT", rest_status=400): ...


class Unauthenticated(GatewayError, code="UNAUTHENTICATED", rest_status=401): ...


class Forbidden(GatewayError, code="FORBIDDEN", rest_status=403): ...


class NotFound(GatewayError, code="NOT_FOUND", rest_status=404): ...


class Conflict(GatewayError, code="CONFLICT", rest_status=409): ...


class LimitExceeded(GatewayError, code="LIMIT_EXCEEDED", rest_status=400): ...


class Unavailable(GatewayError, code="UNAVAILABLE", rest_status=503): ...
