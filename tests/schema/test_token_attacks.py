"""Tokens that look valid and are not."""

import hmac
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from starlette.responses import JSONResponse

from schema.server.token_check import MAX_TOKEN_BYTES, TokenCheck
from stores.contracts.errors import Unauthenticated
from tests.schema.issuer import AUDIENCE, Issuer, encode_segment, make_rsa_key


# Each makes a token that looks like a valid one, but is not.
def _with_hmac(issuer: Issuer, secret: bytes, **headers: Any) -> str:
    header = {"alg": "HS256", "typ": "JWT", "kid": "rsa", **headers}
    signed = f"{encode_segment(header)}.{encode_segment(issuer.claims())}"
    return f"{signed}.{jwt.utils.base64url_encode(hmac.digest(secret, signed.encode(), 'sha256')).decode()}"


def _with_payload(issuer: Issuer, payload: str, header: Any = None) -> str:
    """A token with any text as its claims, signed by the issuer."""
    header = header or {"alg": "RS256", "kid": "rsa"}
    key = issuer.keys["short" if "short" in str(header) else "rsa"]
    signed = f"{encode_segment(header)}.{encode_segment(payload)}"
    algorithm = jwt.get_algorithm_by_name("RS256")
    signature = algorithm.sign(signed.encode(), key)
    return f"{signed}.{jwt.utils.base64url_encode(signature).decode()}"


def _with_unknown_key(issuer: Issuer, headers: dict[str, Any]) -> str:
    return jwt.encode(issuer.claims(), make_rsa_key("own"), "RS256", headers)


def _with_own_jwk(issuer: Issuer) -> str:
    own = make_rsa_key("own")
    jwk = jwt.get_algorithm_by_name("RS256").to_jwk(own.public_key(), as_dict=True)
    return jwt.encode(issuer.claims(), own, "RS256", {"kid": "rsa", "jwk": jwk})


def _twice(issuer: Issuer, name: str) -> str:
    return _with_payload(issuer, f'{{"{name}": "x", {json.dumps(issuer.claims())[1:]}')


def _cut(token: str) -> str:
    return token[: token.rindex(".") + 1]


def _none(issuer: Issuer, alg: str) -> str:
    return f"{encode_segment({'alg': alg, 'kid': 'rsa'})}.{encode_segment(issuer.claims())}."


ATTACKS: dict[str, Callable[[Issuer], str]] = {
    "alg none": lambda i: _none(i, "none"),
    "alg None": lambda i: _none(i, "None"),
    "alg empty": lambda i: _none(i, ""),
    "alg none with a signature": lambda i: _none(i, "none") + i.sign().rpartition(".")[2],
    "HMAC with the public key": lambda i: _with_hmac(i, i.public_pem()),
    "HMAC with the JWK": lambda i: _with_hmac(i, json.dumps(i.jwks()["keys"][0]).encode()),
    "HMAC with the modulus": lambda i: _with_hmac(i, i.jwks()["keys"][0]["n"].encode()),
    "HMAC with the shared secret of the set": lambda i: _with_hmac(i, b"s" * 32, kid="oct"),
    "the sender's own JWK": _with_own_jwk,
    "the sender's own jku": lambda i: _with_unknown_key(i, {"kid": "rsa", "jku": "http://127.0.0.1:9/keys"}),
    "another key under a known id": lambda i: _with_unknown_key(i, {"kid": "rsa"}),
    "an unknown id": lambda i: i.sign(headers={"kid": "other"}),
    "no id": lambda i: _with_unknown_key(i, {}),
    "an id that is a path": lambda i: i.sign(headers={"kid": "../../dev/null"}),
    "an id that is a list": lambda i: _with_payload(
        i, json.dumps(i.claims()), {"alg": "RS256", "kid": ["rsa"]}
    ),
    "an algorithm that is a list": lambda i: _with_payload(
        i, json.dumps(i.claims()), {"alg": ["RS256"], "kid": "rsa"}
    ),
    "the id of a key of another type": lambda i: i.sign(headers={"kid": "ec"}),
    "an algorithm that is not allowed": lambda i: jwt.encode(
        i.claims(), i.keys["rsa"], "RS512", {"kid": "rsa"}
    ),
    "a critical extension": lambda i: i.sign(headers={"crit": ["jane"], "jane": 1}),
    "a short key": lambda i: _with_payload(i, json.dumps(i.claims()), {"alg": "RS256", "kid": "short"}),
    "another audience": lambda i: i.sign(aud="other"),
    "no audience": lambda i: i.sign(aud=None),
    "a longer audience": lambda i: i.sign(aud=f"{AUDIENCE}-admin"),
    "another issuer": lambda i: i.sign(iss="https://evil.example"),
    "the issuer with a slash": lambda i: i.sign(iss=f"{i.url}/"),
    "an issuer that is a list": lambda i: _with_payload(i, json.dumps(i.claims() | {"iss": [i.url]})),
    "no issuer": lambda i: _with_payload(i, json.dumps({**i.claims(), "iss": None})),
    "expired": lambda i: i.sign(exp=int(time.time()) - 31),
    "no end": lambda i: i.sign(exp=None),
    "an end in the far future": lambda i: i.sign(exp=10**30),
    "an end that is infinite": lambda i: _with_payload(i, json.dumps(i.claims() | {"exp": float("inf")})),
    "an end that is no number": lambda i: i.sign(exp="tomorrow"),
    "not valid yet": lambda i: i.sign(nbf=int(time.time()) + 60),
    "issued in the future": lambda i: i.sign(iat=int(time.time()) + 60),
    "no subject": lambda i: i.sign(sub=None),
    "a subject that is no string": lambda i: _with_payload(i, json.dumps(i.claims() | {"sub": 7})),
    "the audience twice": lambda i: _twice(i, "aud"),
    "a claim twice": lambda i: _twice(i, "groups"),
    "a nested claim twice": lambda i: _with_payload(
        i, '{"realm_access": {"roles": "a", "roles": "it"}, ' + json.dumps(i.claims())[1:]
    ),
    "a header twice": lambda i: _with_payload(
        i, json.dumps(i.claims()), '{"alg": "none", "alg": "RS256", "kid": "rsa"}'
    ),
    "no signature": lambda i: _cut(i.sign()),
    "claims changed": lambda i: ".".join(
        [i.sign().split(".")[0], encode_segment(i.claims(groups=["maintenance"])), i.sign().split(".")[2]]
    ),
    "five parts": lambda i: i.sign() + ".x.y",
    "no token": lambda i: "secret-of-somebody",
    "claims that are a list": lambda i: _with_payload(i, "[]"),
    "claims that are deep": lambda i: _with_payload(i, '{"a":' + "[" * 2500),
    "claims that are no JSON": lambda i: _with_payload(i, "{"),
    "a huge number": lambda i: _with_payload(i, '{"exp": ' + "9" * 5000 + "}"),
    "not ASCII": lambda i: i.sign() + "\u00fc",
    "too long": lambda i: i.sign(padding="x" * MAX_TOKEN_BYTES),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_an_attack_is_rejected_and_nothing_of_the_token_is_shown(
    issuer: Issuer, check_token: TokenCheck, attack: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    issuer.keys["short"] = make_rsa_key("short", 1024)
    document = issuer.jwks()
    document["keys"] += [{"kty": "oct", "kid": "oct", "k": encode_segment("s" * 32)}, {"kty": []}, 7]
    issuer.responses["/keys"] = JSONResponse(document)
    await check_token(issuer.sign())
    token = ATTACKS[attack](issuer)
    with pytest.raises(Unauthenticated) as raised:
        await check_token(token)
    assert (raised.value.message, raised.value.extensions) == ("The token is not valid.", {})
    parts = [part for part in [*token.split("."), "jane"] if len(part) > 2]
    assert not [part for part in parts if part in caplog.text]
