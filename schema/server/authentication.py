"""From the credential of a request to its grant."""

import hmac
import ipaddress
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import SecretStr
from starlette.requests import Request

from resolvers.grants import OPEN, PUBLIC, Grant, Role
from resolvers.rules.key_text import KEY_PREFIX
from schema.server.bodies import BadRequest
from schema.server.key_ring import MAX_AGE_S, MIN_INTERVAL_S, KeyRing
from schema.server.origins import is_loopback
from schema.server.proxies import TRUSTED_PROXY
from schema.server.settings import AnonymousSettings
from stores.contracts.errors import GatewayError, LimitExceeded, Unauthenticated

# The grant of a request. Raises `Unauthenticated` if its credential is missing or not valid, and
# `Unavailable` if it cannot be checked.
Authenticate = Callable[[Request], Awaitable[Grant]]
log = logging.getLogger(__name__)
SCHEMES = ("bearer", "token")  # InfluxDB's clients send `Token`


class AccessDenied(BadRequest):
    """A request whose credential is missing, not valid, not sufficient, or cannot be checked now."""

    def __init__(self, error: GatewayError) -> None:
        # RFC 9110, section 11.6.1: a 401 says which credentials are accepted.
        headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthenticated) else {}
        status, message, self._extensions = error.rest_status, error.message, {"code": error.code}
        if isinstance(error, LimitExceeded):
            status, headers = error.status, error.headers
            message, self._extensions = error.describe(is_authenticated=False)
        super().__init__(status, message, **headers)
        self.code = error.code

    @property
    def extensions(self) -> dict[str, Any]:
        return self._extensions


class Authenticator:
    """Checks the credentials of requests: API keys against `key_ring`, others by `check_token`, if given.

    While no key exists and `may_be_open`, whoever connects is an operator.
    """

    def __init__(
        self,
        key_ring: KeyRing,
        check_token: Callable[[str], Awaitable[Grant]] | None = None,
        *,
        may_be_open: bool,
    ) -> None:
        self.key_ring, self._check_token, self._may_be_open = key_ring, check_token, may_be_open
        self._has_warned = False

    async def __call__(self, request: Request) -> Grant:
        """The grant of a request. Raises `Unauthenticated`, and `Unavailable` if it cannot be checked now."""
        if self._may_be_open and not self.key_ring.has_keys and await self._is_open(request):
            return OPEN
        credential = read_credential(request)
        if credential is not None and not self._has_warned:
            self._warn_of_plain_text(request)
        if credential is not None and self._check_token is not None and not credential.startswith(KEY_PREFIX):
            return await self._check_token(credential)
        if credential is not None:
            return await self.key_ring.check(credential)
        kinds = "an API key" if self._check_token is None else "an API key or a token"
        raise Unauthenticated(f"Send {kinds} in the header `Authorization: Bearer KEY` or `X-API-Key: KEY`.")

    async def _is_open(self, request: Request) -> bool:
        # Who sends a credential has perhaps just created the first key.
        sends_credential = not {"authorization", "x-api-key"}.isdisjoint(request.headers)
        return await self.key_ring.is_empty(MIN_INTERVAL_S if sends_credential else MAX_AGE_S)

    def _warn_of_plain_text(self, request: Request) -> None:
        """Warn, once, if whoever is on the way between the client and the gateway can read its credential."""
        scope = request.scope
        address = scope["client"][0] if scope.get("client") else ""
        if scope["scheme"] == "http" and TRUSTED_PROXY not in scope and address and not is_loopback(address):
            self._has_warned = True
            log.warning(
                "a credential came from %s over plain HTTP, where it can be read on its way: set server.tls,"
                " or serve behind a proxy that ends TLS and list it in server.trusted_proxies",
                address,
            )


class AnonymousAccess:
    """Lets clients of some networks in without a credential; other requests are for `authenticate`.

    An address counts only if the client sends no credential, and only while credentials are required.
    """

    def __init__(self, authenticate: Authenticate, settings: AnonymousSettings) -> None:
        self._authenticate = authenticate
        self._networks = [ipaddress.ip_network(network) for network in settings.networks]
        role = Role[settings.role.upper()]
        organizations = None if role is Role.OPERATOR else frozenset(settings.organizations)
        self._grant = Grant("anonymous", role, organizations, is_authenticated=False)

    async def __call__(self, request: Request) -> Grant:
        """The grant of a request. Raises as `authenticate` does."""
        if self._networks and read_credential(request) is None and self._is_known(request):
            return self._grant
        return await self._authenticate(request)

    def _is_known(self, request: Request) -> bool:
        try:
            address = ipaddress.ip_address(request.client.host if request.client else "")
        except ValueError:  # a socket without addresses
            return False
        return any(address in network for network in self._networks)


GRANT = "sync_gateway.grant"  # the key of a request's scope


def remember_grant(authenticate: Authenticate) -> Authenticate:
    """The same check, which leaves the grant in the scope of the request, for what looks at the response."""

    async def check(request: Request) -> Grant:
        grant = request.scope[GRANT] = await authenticate(request)
        return grant

    return check


async def authenticate_nobody(request: Request) -> Grant:
    """The grant of what needs no credential: no organization exists for it."""
    return PUBLIC


def sends_token(request: Request, token: SecretStr) -> bool:
    """Whether the credential of a request is a token of the settings. Raises `Unauthenticated`."""
    credential = read_credential(request)
    return credential is not None and hmac.compare_digest(
        credential.encode(), token.get_secret_value().encode()
    )


def read_credential(request: Request) -> str | None:
    """The credential of a request, or None. It is never read from the URL. Raises `Unauthenticated`."""
    sent: tuple[bytes, bytes] | None = None
    for header in request.scope["headers"]:
        if header[0] == b"authorization" or header[0] == b"x-api-key":
            if sent is not None:
                raise Unauthenticated("Send one credential.")
            sent = header
    if sent is None:
        return None
    text = sent[1].decode("latin-1").strip()
    if sent[0] == b"x-api-key":
        return text
    scheme, _, rest = text.partition(" ")
    credential = rest.strip()
    if scheme.lower() not in SCHEMES or not credential:
        raise Unauthenticated("The header Authorization must be `Bearer KEY`.")
    return credential
