"""From the credential of a request to its grant."""

from starlette.requests import Request

from resolvers.grants import OPEN, Grant
from schema.server.bodies import BadRequest
from schema.server.key_ring import KeyRing
from stores.contracts.errors import GatewayError, Unauthenticated

SCHEMES = ("bearer", "token")  # InfluxDB's clients send `Token`


class AccessDenied(BadRequest):
    """A request whose credential is missing, not valid, not sufficient, or cannot be checked now."""

    def __init__(self, error: GatewayError) -> None:
        # RFC 9110, section 11.6.1: a 401 says which credentials are accepted.
        headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthenticated) else {}
        super().__init__(error.rest_status, error.message, **headers)
        self.code = error.code


class Authenticator:
    """Checks the credentials of requests against the keys of `key_ring`.

    While no key exists and `may_be_open`, whoever connects is an operator.
    """

    def __init__(self, key_ring: KeyRing, *, may_be_open: bool) -> None:
        self.key_ring, self._may_be_open = key_ring, may_be_open

    async def __call__(self, request: Request) -> Grant:
        """The grant of a request. Raises `Unauthenticated`, and `Unavailable` if it cannot be checked now."""
        if self._may_be_open and await self.key_ring.is_empty():
            return OPEN
        credential = read_credential(request)
        if credential is not None:
            return await self.key_ring.check(credential)
        raise Unauthenticated("Send an API key in the header `Authorization: Bearer KEY` or `X-API-Key: KEY`")


def read_credential(request: Request) -> str | None:
    """The credential of a request, or None. It is never read from the URL. Raises `Unauthenticated`."""
    headers = request.headers
    credentials = headers.getlist("authorization") + headers.getlist("x-api-key")
    if not credentials:
        return None
    if len(credentials) > 1:
        raise Unauthenticated("Send one credential")
    if "authorization" not in headers:
        return credentials[0].strip()
    scheme, _, credential = credentials[0].strip().partition(" ")
    if scheme.lower() not in SCHEMES or not credential.strip():
        raise Unauthenticated("The header Authorization must be `Bearer KEY`")
    return credential.strip()
