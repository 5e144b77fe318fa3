"""The keys of issuers: when they are fetched, and what a failed fetch costs."""

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from starlette.responses import JSONResponse, RedirectResponse, Response

from resolvers.grants import Role
from schema.server import jwks
from schema.server.key_sets import KeySet
from schema.server.token_check import TokenCheck
from stores.contracts.errors import Unauthenticated, Unavailable
from tests.schema.clock import Clock
from tests.schema.issuer import Issuer, make_rsa_key


async def test_new_keys_are_found_and_withdrawn_ones_are_forgotten(issuer: Issuer, clock: Clock) -> None:
    key_set = KeySet(issuer.settings(), clock)
    check_token = TokenCheck([key_set])
    await check_token(issuer.sign())
    old = issuer.sign(exp=int(time.time()) + 200)
    issuer.keys["new"] = make_rsa_key("second")
    new = issuer.sign("new")
    with pytest.raises(Unauthenticated):
        await check_token(new)
    clock.now += 60
    assert (await check_token(new)).role is Role.VIEWER
    del issuer.keys["rsa"]
    clock.now += 60
    await key_set.refresh()
    with pytest.raises(Unauthenticated):
        await check_token(old)
    assert issuer.fetches == 3


async def test_unknown_keys_cost_one_fetch_a_minute(
    issuer: Issuer, check_token: TokenCheck, clock: Clock
) -> None:
    token = issuer.sign()
    for minute in range(3):
        for i in range(20):
            with pytest.raises(Unauthenticated):
                await check_token(issuer.sign(headers={"kid": f"{minute}-{i}"}))
        await check_token(token)
        assert issuer.fetches == minute + 1
        clock.now += 60


def _keys(*keys: Any) -> dict[str, Response]:
    return {"/keys": JSONResponse({"keys": keys})}


def _private(issuer: Issuer) -> dict[str, Any]:
    return jwt.get_algorithm_by_name("RS256").to_jwk(issuer.keys["rsa"], as_dict=True)


# By name: what the issuer serves, and what the log says of it.
FAULTS: dict[str, tuple[Callable[[Issuer], dict[str, Response]], str]] = {
    "an error": (lambda i: {"/keys": Response(status_code=500)}, "answered 500"),
    "a redirect": (lambda i: {"/keys": RedirectResponse(f"{i.url}/other")}, "answered 307"),
    "a long document": (lambda i: {"/keys": JSONResponse({"x": "x" * 64 * 1024})}, "longer than 65536 bytes"),
    "no JSON": (lambda i: {"/keys": Response("<html>")}, "line 1"),
    "a list": (lambda i: {"/keys": JSONResponse([i.jwks()])}, "not a JSON object"),
    "no keys": (lambda i: _keys(), "no key for RS256, ES256"),
    "a shared secret": (lambda i: _keys({"kty": "oct", "kid": "other", "k": "c2VjcmV0"}), "no key for"),
    "a private key": (lambda i: _keys(_private(i)), "no key for"),
    "damaged keys": (lambda i: _keys({"kty": "RSA", "n": 1, "e": []}, {"kty": "EC"}, {}, 7), "no key for"),
    "keys that are no list": (lambda i: {"/keys": JSONResponse({"keys": "x"})}, "no key for"),
    "another issuer": (lambda i: _discovery("https://evil.example", f"{i.url}/keys"), "of another issuer"),
    "keys by plain HTTP": (lambda i: _discovery(i.url, "http://keys.example/keys"), "must start with https"),
    "keys of a file": (lambda i: _discovery(i.url, "file:///etc/passwd"), "must be an https"),
    "no address of the keys": (lambda i: _discovery(i.url, None), "must be an https"),
}


def _discovery(issuer: str, location: str | None) -> dict[str, Response]:
    document = {"issuer": issuer, "jwks_uri": location}
    return {"/.well-known/openid-configuration": JSONResponse(document)}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_failed_fetch_keeps_the_known_keys_and_is_logged(
    issuer: Issuer, clock: Clock, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    key_set = KeySet(issuer.settings(), clock)
    assert await key_set.find("rsa", "RS256") is not None
    respond, reason = FAULTS[fault]
    issuer.responses = respond(issuer)
    clock.now += 60
    with pytest.raises(Unavailable):
        await key_set.find("other", "RS256")
    assert await key_set.find("rsa", "RS256") is not None
    [record] = caplog.records
    assert record.getMessage().startswith(f"the keys of the issuer {issuer.url} cannot be read: ")
    assert reason in record.getMessage()


async def test_an_issuer_that_does_not_answer_is_given_up(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(jwks, "TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        issuer = Issuer()
        issuer.url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(Unavailable):
            await TokenCheck([KeySet(issuer.settings(), clock)])(issuer.sign())
    assert "no answer within 0.05 s" in caplog.text


async def test_keys_of_a_url_and_of_a_file(issuer: Issuer, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(issuer.jwks()))
    for location in (f"{issuer.url}/keys", str(path)):
        assert await TokenCheck([KeySet(issuer.settings(jwks=location))])(issuer.sign("ec"))
    assert issuer.fetches == 1
    path.write_text(" " * 64 * 1024 + path.read_text())
    for file in (path, tmp_path / "none.json"):
        with pytest.raises(Unavailable):
            await TokenCheck([KeySet(issuer.settings(jwks=str(file)))])(issuer.sign())
