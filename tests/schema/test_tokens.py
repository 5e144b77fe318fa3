"""Tokens of identity providers: which rights they have, and how requests with them are answered."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from compat_rest.app import create_app
from compat_rest.commands.access import describe_access
from resolvers.api_keys import KeySpec, create_api_key
from resolvers.grants import Grant, GrantLimits, Role
from schema.server.issuer_settings import AuthSettings, ClaimGrant, IssuerSettings
from schema.server.key_sets import KeySet
from schema.server.settings import ServerSettings, Settings
from schema.server.token_check import TokenCheck
from stores.contracts.document_store import DocumentStore
from stores.contracts.errors import Unauthenticated, Unavailable
from stores.contracts.series import WritableSeriesStore
from tests.schema.clock import Clock
from tests.schema.issuer import AUDIENCE, Issuer, make_rsa_key
from tests.serving import served

VIEWER = {"query": "{ viewer { subject role expiresAt } }"}
METADATA = "/.well-known/oauth-protected-resource"


AppFactory = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def connect(
    documents: DocumentStore, series: WritableSeriesStore, tmp_path: Path
) -> AsyncIterator[AppFactory]:
    """Makes an application with the issuers, and a client of it."""
    clients: list[httpx.AsyncClient] = []

    def connect(*issuers: IssuerSettings, **server: Any) -> httpx.AsyncClient:
        auth = AuthSettings(issuers=issuers)
        settings = Settings(data=tmp_path, auth=auth, server=ServerSettings(**server))
        app = create_app(settings, documents=documents, series=series)
        transport = httpx.ASGITransport(app, client=("10.9.9.9", 1))
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://gateway"))
        return clients[-1]

    yield connect
    for client in clients:
        await client.aclose()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("key_id", ["rsa", "ec"])
async def test_a_token_has_the_rights_that_its_claims_are_mapped_to(
    issuer: Issuer, check_token: TokenCheck, key_id: str
) -> None:
    exp = int(time.time()) + 300
    ends = datetime.fromtimestamp(exp, UTC).replace(tzinfo=None)
    subject = f"{issuer.url}|jane"
    office = Grant(subject, Role.VIEWER, frozenset({"acme", "globex"}), expires_at=ends)
    assert await check_token(issuer.sign(key_id, exp=exp)) == office
    assert await check_token(issuer.sign(key_id, exp=exp, groups="office")) == office
    grant = await check_token(issuer.sign(key_id, exp=exp, groups=["office", "maintenance"]))
    assert grant == Grant(subject, Role.EDITOR, frozenset({"acme"}), ingest=True, expires_at=ends)
    operator = await check_token(issuer.sign(key_id, exp=exp, groups=None, realm_access={"roles": ["it"]}))
    limits = GrantLimits(concurrent_requests=2)
    assert operator == Grant(subject, Role.OPERATOR, None, expires_at=ends, limits=limits)


@pytest.mark.parametrize(
    "claims",
    [
        {"groups": []},
        {"groups": None},
        {"groups": ["Office", "office ", {"office": 1}]},
        {"groups": {"office": True}},
        {"groups": None, "realm_access": ["roles"]},
        {"groups": None, "realm_access": {"roles": {"it": 1}}},
        {"groups": None, "role": "operator", "organizations": ["acme"], "ingest": True, "scope": "office"},
    ],
)
async def test_a_token_whose_claims_match_nothing_is_forbidden(
    issuer: Issuer, connect: AppFactory, claims: dict[str, Any]
) -> None:
    http = connect(issuer.settings())
    answer = await http.post("/graphql", json=VIEWER, headers=bearer(issuer.sign(**claims)))
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["extensions"] == {"code": "FORBIDDEN"}
    assert "www-authenticate" not in answer.headers


async def test_claims_with_dots_in_their_names_and_other_subjects(issuer: Issuer) -> None:
    entry = ClaimGrant(claim="https://acme.example/kind", value="press", ingest=True, organizations=("acme",))
    settings = issuer.settings(grants=(entry,), subject="azp", algorithms=("RS256", "PS256"))
    token = jwt.encode(
        issuer.claims(**{"https://acme.example/kind": "press", "azp": "press-7"}),
        issuer.keys["rsa"],
        "PS256",
        {"kid": "rsa"},
    )
    grant = await TokenCheck([KeySet(settings)])(token)
    assert (grant.subject, grant.role, grant.ingest) == (f"{issuer.url}|press-7", None, True)


async def test_an_attack_is_401_without_details(issuer: Issuer, connect: AppFactory) -> None:
    http = connect(issuer.settings())
    for token in (issuer.sign(aud="other"), "none", f"{issuer.sign()}\u00fc"):
        headers = [(b"authorization", f"Bearer {token}".encode("latin-1"))]
        answer = await http.post("/graphql", json=VIEWER, headers=headers)
        error = {"message": "The token is not valid.", "extensions": {"code": "UNAUTHENTICATED"}}
        assert (answer.status_code, answer.json()) == (401, {"errors": [error]})


async def test_clocks_may_differ_by_half_a_minute(issuer: Issuer, check_token: TokenCheck) -> None:
    now = int(time.time())
    await check_token(issuer.sign(exp=now - 20))
    await check_token(issuer.sign(nbf=now + 20, iat=now + 20))
    await check_token(issuer.sign(aud=["other", AUDIENCE]))


async def test_a_checked_token_is_cached_for_a_minute_and_not_beyond_its_end(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks: list[str] = []
    decode = jwt.decode

    def counted(token: str, *args: Any, **options: Any) -> Any:
        checks.append(token)
        return decode(token, *args, **options)

    monkeypatch.setattr(jwt, "decode", counted)
    clock = Clock()
    clock.now = start = time.time()
    check_token = TokenCheck([KeySet(issuer.settings())], clock)
    long, short = issuer.sign(), issuer.sign(exp=int(start) + 20)
    for _ in range(100):
        await check_token(long)
        await check_token(short)
    assert len(checks) == 2
    clock.now = start + 21
    await check_token(long)
    assert len(checks) == 2
    await check_token(short)
    assert len(checks) == 3, "it is checked each time after its end"
    clock.now = start + 61
    await check_token(long)
    assert len(checks) == 4


async def test_the_gateway_starts_and_serves_without_the_issuer(
    documents: DocumentStore, connect: AppFactory, clock: Clock
) -> None:
    issuer = Issuer()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    issuer.url = f"http://127.0.0.1:{port}"
    http = connect(issuer.settings())
    _, key = await create_api_key(
        documents.database(documents.default), KeySpec("dash", ("acme",), Role.VIEWER), created_by="test"
    )
    assert (await http.post("/graphql", json=VIEWER, headers=bearer(key))).status_code == 200
    answer = await http.post("/graphql", json=VIEWER, headers=bearer(issuer.sign()))
    assert answer.status_code == 503
    assert answer.json()["errors"][0]["extensions"] == {"code": "UNAVAILABLE"}
    check_token = TokenCheck([KeySet(issuer.settings(), clock)])
    with pytest.raises(Unavailable):
        await check_token(issuer.sign())
    async with served(issuer.app, port):
        clock.now += 60
        await check_token(issuer.sign())
    clock.now += 60
    await check_token(issuer.sign(exp=int(time.time()) + 100))  # the known keys go on
    with pytest.raises(Unavailable):
        await check_token(issuer.sign(headers={"kid": "other"}))
    await check_token(issuer.sign(exp=int(time.time()) + 101))


async def test_each_issuer_is_checked_with_its_own_keys(issuer: Issuer) -> None:
    other = Issuer()
    other.keys["rsa"] = make_rsa_key("second")
    async with served(other.app) as other.url:
        check_token = TokenCheck([KeySet(issuer.settings()), KeySet(other.settings())])
        assert (await check_token(issuer.sign())).subject == f"{issuer.url}|jane"
        assert (await check_token(other.sign())).subject == f"{other.url}|jane"
        with pytest.raises(Unauthenticated):
            await check_token(issuer.sign(iss=other.url))


async def test_credentials_are_required_as_soon_as_an_issuer_is_configured(
    issuer: Issuer, connect: AppFactory
) -> None:
    http = connect(issuer.settings(), host="127.0.0.1", open=True)
    for path in ("/api/organizations", "/metrics"):
        answer = await http.get(path)
        assert answer.status_code == 401
        challenge = f'Bearer resource_metadata="http://gateway{METADATA}"'
        assert answer.headers.get_list("www-authenticate") == [challenge], path
    for path in ("/graphql", "/api/v2/write?bucket=machines"):
        answer = await http.post(path, json=VIEWER)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, challenge), path
    assert (await http.get("/metrics", headers=bearer(issuer.sign()))).status_code == 403
    token = issuer.sign(exp=(exp := int(time.time()) + 60))
    for headers in (bearer(token), {"X-API-Key": token}):
        answer = await http.post("/graphql", json=VIEWER, headers=headers)
        ends = datetime.fromtimestamp(exp, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        name = f"{issuer.url}|jane"
        assert answer.json() == {"data": {"viewer": {"subject": name, "role": "viewer", "expiresAt": ends}}}


async def test_the_keys_are_read_at_the_start(
    issuer: Issuer, documents: DocumentStore, series: WritableSeriesStore, tmp_path: Path
) -> None:
    settings = Settings(data=tmp_path, auth=AuthSettings(issuers=(issuer.settings(),)))
    async with served(create_app(settings, documents=documents, series=series)):
        await asyncio.wait_for(issuer.is_fetched.wait(), 30)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_serve_names_the_issuers_and_needs_no_key(host: str) -> None:
    issuer = Issuer()
    issuer.url = "https://login.example"
    auth, server = AuthSettings(issuers=(issuer.settings(),)), ServerSettings(host=host)
    access = describe_access(Settings(auth=auth, server=server))
    assert access == "API keys or tokens of https://login.example are required"


async def test_the_metadata_of_the_resource_needs_no_credential(issuer: Issuer, connect: AppFactory) -> None:
    http = connect(issuer.settings(), trusted_proxies=["10.9.0.0/16"])
    assert (await http.get(METADATA)).json() == {
        "resource": "http://gateway",
        "authorization_servers": [issuer.url],
        "bearer_methods_supported": ["header"],
    }
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "gw.example"}
    assert (await http.get(METADATA, headers=forwarded)).json()["resource"] == "https://gw.example"
    answer = await http.post("/graphql", json=VIEWER, headers=forwarded)
    expected = f'Bearer resource_metadata="https://gw.example{METADATA}"'
    assert answer.headers["www-authenticate"] == expected
    untrusted = connect(issuer.settings())
    assert (await untrusted.get(METADATA, headers=forwarded)).json()["resource"] == "http://gateway"


async def test_without_an_issuer_a_token_is_a_key_that_is_not_valid(
    issuer: Issuer, documents: DocumentStore, connect: AppFactory
) -> None:
    http = connect()
    assert (await http.get(METADATA)).status_code == 404
    spec = KeySpec("dash", ("acme",), Role.VIEWER)
    await create_api_key(documents.database(documents.default), spec, created_by="test")
    answer = await http.post("/graphql", json=VIEWER, headers=bearer(issuer.sign()))
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
