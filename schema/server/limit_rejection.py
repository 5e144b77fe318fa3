"""Requests over a limit: their response on every endpoint."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from resolvers.grants import Grant
from resolvers.limits import LimitPolicy
from schema.server.bodies import BadRequest
from stores.contracts.errors import LimitExceeded


class OverLimit(BadRequest):
    """A request that is over a limit. Only an authenticated caller sees the numbers of the limit."""

    code = LimitExceeded.code

    def __init__(self, error: LimitExceeded, *, is_authenticated: bool) -> None:
        message, extensions = error.describe(is_authenticated=is_authenticated)
        super().__init__(error.status, message, **error.headers)
        self._extensions = extensions

    @property
    def extensions(self) -> dict[str, Any]:
        return self._extensions


@contextmanager
def reject_over_limit(policy: LimitPolicy, grant: Grant | None) -> Iterator[None]:
    """Raise `OverLimit` for a `LimitExceeded` of the block. Without a grant, nobody is authenticated yet."""
    try:
        yield
    except LimitExceeded as error:
        policy.count(error)
        raise OverLimit(error, is_authenticated=grant is not None and grant.is_authenticated) from None
