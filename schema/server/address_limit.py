"""Requests without a valid credential are counted by the address that they come from."""

from starlette.requests import Request

from resolvers.budgets import Budgets
from resolvers.grants import OPEN, Grant
from schema.server.authentication import GRANT, Authenticate
from schema.server.origins import is_loopback
from stores.contracts.errors import Unauthenticated


class CountFailures:
    """Authenticates as `authenticate` does, and remembers the grant as `remember_grant` does.

    Too many failures of an address raise `LimitExceeded`.
    """

    def __init__(self, authenticate: Authenticate, budgets: Budgets) -> None:
        self._authenticate, self._budgets = authenticate, budgets

    async def __call__(self, request: Request) -> Grant:
        try:
            grant = request.scope[GRANT] = await self._authenticate(request)
            return grant
        except Unauthenticated:
            await count_request(self._budgets, request)
            raise


async def count_anonymous(budgets: Budgets, request: Request, grant: Grant) -> None:
    """Count a request whose grant needed no credential. Raises `LimitExceeded`.

    While the gateway is open, requests from the same machine are not counted.
    """
    is_local = request.client is None or is_loopback(request.client.host)
    if not (is_local and grant == OPEN):
        await count_request(budgets, request)


async def count_request(budgets: Budgets, request: Request) -> None:
    """Count a request for its address. Raises `LimitExceeded`."""
    if request.client is not None:  # a socket without addresses is of this machine
        await budgets.count_address(request.client.host)
