"""An identity provider behind a real server, with keys that are made for the test."""

import asyncio
import base64
import functools
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from schema.server.issuer_settings import ClaimGrant, ClaimLimits, IssuerSettings

AUDIENCE = "sync-gateway"
GRANTS = (
    ClaimGrant(claim="groups", value="maintenance", role="editor", organizations=("acme",), ingest=True),
    ClaimGrant(claim="groups", value="office", role="viewer", organizations=("acme", "globex")),
    ClaimGrant(
        claim="realm_access.roles", value="it", role="operator", limits=ClaimLimits(concurrent_requests=2)
    ),
)


@functools.cache
def make_rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key, which is made once for each name, because that takes long."""
    return rsa.generate_private_key(65537, bits)


@functools.cache
def make_ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


class Issuer:
    """Serves discovery and its keys. `responses` replace the response of a path."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: dict[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey] = {
            "rsa": make_rsa_key("first"),
            "ec": make_ec_key(),
        }
        self.responses: dict[str, Response] = {}
        self.fetches = 0
        self.is_fetched = asyncio.Event()
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discover),
                Route("/keys", self._send_keys),
            ]
        )

    def settings(self, **changes: Any) -> IssuerSettings:
        return IssuerSettings(**{"issuer": self.url, "audience": AUDIENCE, "grants": GRANTS} | changes)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Claims that are valid, but for the changes; None leaves a claim out."""
        claims: dict[str, Any] = {"iss": self.url, "aud": AUDIENCE, "sub": "jane", "groups": ["office"]}
        claims |= {"exp": int(time.time()) + 300, **changes}
        return {name: value for name, value in claims.items() if value is not None}

    def sign(self, key_id: str = "rsa", headers: dict[str, Any] | None = None, **changes: Any) -> str:
        """A token with the claims."""
        algorithm = "ES256" if key_id == "ec" else "RS256"
        return jwt.encode(
            self.claims(**changes), self.keys[key_id], algorithm, {"kid": key_id, **(headers or {})}
        )

    def public_pem(self, key_id: str = "rsa") -> bytes:
        public_key = self.keys[key_id].public_key()
        return public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def jwks(self) -> dict[str, Any]:
        keys = []
        for key_id, key in self.keys.items():
            is_rsa = isinstance(key, rsa.RSAPrivateKey)
            algorithm = jwt.get_algorithm_by_name("RS256" if is_rsa else "ES256")
            keys.append({**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": key_id, "use": "sig"})
        return {"keys": keys}

    async def _discover(self, request: Request) -> Response:
        document = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        return self.responses.get("/.well-known/openid-configuration") or JSONResponse(document)

    async def _send_keys(self, request: Request) -> Response:
        self.fetches += 1
        self.is_fetched.set()
        return self.responses.get("/keys") or JSONResponse(self.jwks())


def encode_segment(value: Any) -> str:
    """A part of a token: JSON, or a text as it is."""
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
