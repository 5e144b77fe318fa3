"""Who may write points: the token of the settings, or a credential whose grant permits it."""

import base64
import binascii

from pydantic import SecretStr
from starlette.requests import Request

from resolvers.grants import OPEN, Grant
from schema.server.authentication import AccessDenied, Authenticate, sends_token
from stores.contracts.errors import Forbidden, GatewayError, Unauthenticated


class IngestAccess:
    """Checks the credentials of writers. `token` is the token of the settings, which permits everything."""

    def __init__(self, authenticate: Authenticate, token: SecretStr | None) -> None:
        self._authenticate, self._token = authenticate, token

    async def admit(self, request: Request) -> Grant:
        """The grant of a request that may write points. Raises `AccessDenied`."""
        try:
            if self._token is not None and sends_token(request, self._token):
                return OPEN
            grant = await self._authenticate(request)
            if self._token is not None and grant is OPEN:
                raise Unauthenticated("unauthorized access")
            # Points name no application, so that a grant for some applications cannot be checked.
            if not grant.is_operator and (not grant.ingest or grant.applications is not None):
                raise Forbidden("the credential does not permit writing points")
            return grant
        except GatewayError as error:
            raise AccessDenied(error) from None


def take_password_as_credential(request: Request) -> Request:
    """The request with the password of Basic authentication as its credential.

    Clients of InfluxDB 1 send credentials as a user's name, which has no meaning here, and a password.
    """
    headers = [
        (name, _convert_basic(value) if name == b"authorization" else value)
        for name, value in request.scope["headers"]
    ]
    request.scope["headers"] = headers
    return Request(request.scope, request.receive)


def _convert_basic(value: bytes) -> bytes:
    scheme, _, encoded = value.partition(b" ")
    if scheme.lower() != b"basic":
        return value
    try:
        _, _, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except binascii.Error:
        return value
    return b"Token " + password
