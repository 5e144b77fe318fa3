"""What the check of a credential adds to a request: the CPU time of an API key and of a cached token."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.requests import Request

from resolvers.api_keys import KeySpec, create_api_key
from resolvers.grants import Role
from schema.server.authentication import Authenticator
from schema.server.issuer_settings import ClaimGrant, IssuerSettings
from schema.server.key_ring import KeyRing
from schema.server.key_sets import KeySet
from schema.server.token_check import TokenCheck
from stores.opening import open_documents

REQUESTS, ROUNDS = 2_000, 5
ISSUER, AUDIENCE = "https://login.example", "sync-gateway"
# A dashboard behind a browser sends about so many headers.
HEADERS = {f"x-header-{n}": "value" for n in range(12)}


async def measure_credentials(folder: Path) -> Iterator[tuple[str, float]]:
    """CPU time of one check in milliseconds: that of an API key, and that of a token in the cache."""
    documents = open_documents(None, data=folder)
    database = documents.database(documents.default)
    organizations = tuple(f"organization-{n}" for n in range(20))
    texts = [
        (await create_api_key(database, KeySpec(f"key {n}", organizations, Role.VIEWER), created_by="bench"))[
            1
        ]
        for n in range(200)
    ]
    ring = KeyRing(database)
    check_token, token = _make_token(folder)
    authenticate = Authenticator(ring, check_token, may_be_open=False)
    measured = [
        ("check of an API key, of 200", await _time_check(authenticate, lambda n: texts[n % len(texts)])),
        ("check of a cached token", await _time_check(authenticate, lambda _: token)),
    ]
    await ring.close()
    await documents.close()
    return iter(measured)


async def _time_check(authenticate: Authenticator, credential: Callable[[int], str]) -> float:
    times = []
    for _ in range(ROUNDS):
        requests = [_make_request(credential(n)) for n in range(REQUESTS)]
        began = time.process_time()
        for request in requests:
            await authenticate(request)
        times.append((time.process_time() - began) / REQUESTS * 1e3)
    return min(times)


def _make_request(credential: str) -> Request:
    headers = {**HEADERS, "authorization": f"Bearer {credential}"}
    return Request(
        {
            "type": "http",
            "scheme": "http",
            "client": ("127.0.0.1", 1),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )


def _make_token(folder: Path) -> tuple[TokenCheck, str]:
    """What checks the tokens of an issuer whose keys are in a file, and one of its tokens."""
    key = ec.generate_private_key(ec.SECP256R1())
    jwk = jwt.get_algorithm_by_name("ES256").to_jwk(key.public_key(), as_dict=True)
    jwks = folder / "jwks.json"
    jwks.write_text(json.dumps({"keys": [{**jwk, "kid": "k"}]}))
    grants = (ClaimGrant(claim="groups", value="office", role="viewer", organizations=("organization-0",)),)
    settings = IssuerSettings(issuer=ISSUER, audience=AUDIENCE, jwks=str(jwks), grants=grants)
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "jane",
        "groups": ["office"],
        "exp": int(time.time()) + 3600,
    }
    return TokenCheck([KeySet(settings)]), jwt.encode(claims, key, "ES256", {"kid": "k"})
