"""From the credential of a request to its grant."""

from starlette.requests import Request

from resolvers.grants import OPEN, Grant
from schema.server.bodies import BadRequest
from stores.contracts.errors import GatewayError, Unauthenticated


class AccessDenied(BadRequest):
    """A request whose credential is missing, not valid, not sufficient, or cannot be checked now."""

    def __init__(self, error: GatewayError) -> None:
        # RFC 9110, section 11.6.1: a 401 says which credentials are accepted.
        headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthenticated) else {}
        super().__init__(error.rest_status, error.message, **headers)
        self.code = error.code


async def authenticate_nobody(request: Request) -> Grant:
    """Open mode: whoever reaches the port may do everything."""
    return OPEN
