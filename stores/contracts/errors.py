"""Every failure that is expected: its class, its GraphQL code and its REST status, in one table.

A message is safe to show: it contains what the caller sent and nothing about the inside.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
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

    def describe(self, *, is_authenticated: bool) -> tuple[str, dict[str, Any]]:
        """The message and the extensions as a caller sees them."""
        return self.message, {"code": self.code, **self.extensions}


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
    """The request is over a limit of the gateway. `limit` names the limit.

    `maximum` and `actual` are shown to authenticated callers only. `advice` is a sentence without these
    numbers that says what to do. After `retry_after_s` seconds the same request may pass.
    """

    def __init__(
        self,
        name: str,
        maximum: float,
        actual: float | None = None,
        advice: str = "",
        *,
        fields: Sequence[str] = (),
        retry_after_s: float | None = None,
    ) -> None:
        numbers = f"at most {maximum}" if actual is None else f"{actual}, at most {maximum}"
        known = {"maximum": maximum} if actual is None else {"maximum": maximum, "actual": actual}
        super().__init__(_describe_limit(f"{name} ({numbers})", advice), fields=fields, limit=name, **known)
        self.name, self.maximum, self.actual, self.advice = name, maximum, actual, advice
        # The HTTP headers that say when the same request may pass
        self.headers = {} if retry_after_s is None else {"Retry-After": str(max(1, math.ceil(retry_after_s)))}

    @property
    def status(self) -> int:
        """The HTTP status."""
        return find_limit_status(self.name)

    def describe(self, *, is_authenticated: bool) -> tuple[str, dict[str, Any]]:
        if is_authenticated:
            return super().describe(is_authenticated=True)
        public: dict[str, Any] = {
            name: self.extensions[name] for name in ("limit", "fields") if name in self.extensions
        }
        return _describe_limit(self.name, self.advice), {"code": self.code, **public}


# The HTTP status of a request over a limit: 413 for sizes, 429 for budgets, 503 for overload; 400 for others.
LIMIT_STATUS = {
    "body_bytes": 413,
    "icon_bytes": 413,
    "svg_bytes": 413,
    "compression_ratio": 413,
    "query_files": 503,  # of a server: the old routes cannot ask for less
    "queued": 503,
    "memory_bytes": 503,
    "request_seconds": 503,
    "cost_per_minute": 429,
    "tenant_cost_per_minute": 429,
    "concurrent_requests": 429,
    "address_requests_per_minute": 429,
}


def find_limit_status(name: str) -> int:
    """The HTTP status of a request that is over the limit `name`."""
    return LIMIT_STATUS.get(name, LimitExceeded.rest_status)


def _describe_limit(limit: str, advice: str) -> str:
    return f"The request is over the limit {limit}. {advice}".rstrip()


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


def make_points_deleted_error(time_ns: int) -> BadUserInput:
    """Return the error of windows, areas and counters of a range whose points the retention has deleted."""
    until = datetime.fromtimestamp(time_ns // 10**9, UTC).isoformat().replace("+00:00", "Z")
    return BadUserInput(
        f"The points before {until} were deleted (series.retention_days); hourly rollups are left of them."
        " Request a later range, or a series of windows of whole hours, without QUANTILE. INTEGRAL and"
        " TIME_WEIGHTED_MEAN require besides that no gap between points is longer than `maxGap`.",
        fields=["range"],
    )


def make_too_many_points_error(limit: int) -> LimitExceeded:
    """Return the error of `SeriesDatabase.points`."""
    return LimitExceeded(
        "points",
        limit,
        advice="The range holds too many points (series.max_points): request a shorter range, or windows.",
    )


def make_too_many_changes_error(limit: int) -> LimitExceeded:
    """Return the error of `SeriesDatabase.changes`."""
    return LimitExceeded(
        "points",
        limit,
        advice="The range holds too many changes of values (series.max_points): request a shorter range.",
    )
