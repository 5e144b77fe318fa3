"""Every failure that is expected: its class, its GraphQL code and its REST status, in one table.

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


class BadUserInput(GatewayError, code="BAD_USER_INPUT", rest_status=400):
    """A value is not valid. `fields` names the paths of the values."""


class Unauthenticated(GatewayError, code="UNAUTHENTICATED", rest_status=401):
    """There is no credential, or it is not valid."""


class Forbidden(GatewayError, code="FORBIDDEN", rest_status=403):
    """The credential does not permit the request."""


class NotFound(GatewayError, code="NOT_FOUND", rest_status=404):
    """The requested object does not exist, or the caller must not see it."""


class Conflict(GatewayError, code="CONFLICT", rest_status=409):
    """The change contradicts what is stored."""


class LimitExceeded(GatewayError, code="LIMIT_EXCEEDED", rest_status=400):
    """The request is over a limit of the gateway."""


class Unavailable(GatewayError, code="UNAVAILABLE", rest_status=503):
    """A store is down, slow, or only partly reachable.

    `is_outage` is whether the store does not answer at all, or answers no request. `retry_after_s` is how
    long it asks not to be called.
    """

    def __init__(
        self,
        message: str,
        *,
        fields: Sequence[str] = (),
        is_outage: bool = False,
        retry_after_s: float | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(message, fields=fields, **extensions)
        self.is_outage, self.retry_after_s = is_outage, retry_after_s
