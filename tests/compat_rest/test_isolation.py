"""No byte of another tenant: every field, mutation and old route, requested with the ids of a foreign organization.

The questions are made from the schema and from the table of routes, so that a new field, argument or route is
requested without a change here. Everything that the foreign organization stores contains `MARKER`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from graphql import GraphQLSchema

from compat_rest.routes import TABLE
from resolvers.grants import OPEN, Grant
from schema.types.roles import view_of
from schema.types.root import schema
from stores.contracts.errors import Forbidden, LimitExceeded
from stores.entities.series_layout import SeriesLayout
from tests.compat_rest.questions import Values, fill_path, questions
from tests.compat_rest.two_tenants import (
    FOREIGN,
    GRANTS,
    MARKER,
    MISSING,
    OWN,
    TENANTS,
    Answer,
    TwoTenants,
    creations,
    open_tenants,
)

# One application for all tests: none of them changes what another one reads.
pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
ICON = "/api/library/{category}/{name}/icon"
WITHOUT_CREDENTIALS = {"/status", ICON, f"{ICON}/{{format}}"}
Ask = Callable[[], Awaitable[Answer]]
OPEN_PATHS = {"/health", "/health/live", "/health/ready", "/ping"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tenants(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TwoTenants]:
    async with open_tenants(tmp_path_factory.mktemp("tenants")) as tenants:
        yield tenants


def view(name: str) -> GraphQLSchema:
    """What a grant sees of the schema; one that sees nothing requests everything."""
    return view_of(GRANTS[name] if GRANTS[name].role is not None else OPEN)


def requests(values: Values) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """A request to each old route: its method, its path and the options of the client."""
    for route in TABLE:
        query = {"organizationId": values["organizationId"]} if "organizationId" in route.query else None
        body = {**values, "enabled": True, "email": "x"}
        yield (
            route.method,
            fill_path(route.path, values),
            {"params": query, "json": None if route.method == "GET" else body},
        )


async def find_leaks(tenants: TwoTenants, grant: str, organization: str) -> set[str]:
    """The root fields that answer with something of the foreign organization."""
    return {
        field
        for field, query in questions(view(grant), tenants.values[organization], "query")
        if MARKER in (await tenants.ask(grant, query)).text
    }


async def test_an_operator_finds_the_marker_so_a_leak_would_be_seen(tenants: TwoTenants) -> None:
    assert {
        *("node", "organizations", "organization", "application", "device", "analytics", "documents"),
        *("series", "apiKeys", "auditLog"),
    } <= await find_leaks(tenants, "operator", FOREIGN)


async def check_alike(name: str, ask_foreign: Ask, ask_missing: Ask) -> None:
    """Nothing of the foreign organization; the same answer, and the same calls to the stores."""
    for _ in range(2):  # again with what the first one has put into caches
        missing, foreign = await ask_missing(), await ask_foreign()
        if missing.calls == foreign.calls:
            break
    assert MARKER not in foreign.text, name
    assert LimitExceeded.code not in foreign.text, name
    assert "Cannot query" not in foreign.text, name
    assert foreign.without_names() == missing.without_names(), name


@pytest.mark.parametrize("grant", TENANTS)
async def test_a_foreign_organization_is_as_one_that_does_not_exist(tenants: TwoTenants, grant: str) -> None:
    """To every field, mutation and old route."""
    before = await tenants.dump()
    for operation in ("query", "mutation"):
        foreign = questions(view(grant), tenants.values[FOREIGN], operation)
        missing = questions(view(grant), tenants.values[MISSING], operation)
        for (field, query), (_, reference) in zip(foreign, missing, strict=True):
            await check_alike(
                field, partial(tenants.ask, grant, query), partial(tenants.ask, grant, reference)
            )
    of_missing = requests(tenants.values[MISSING])
    for (method, path, options), (_, reference, reference_options) in zip(
        requests(tenants.values[FOREIGN]), of_missing, strict=True
    ):
        await check_alike(
            path,
            partial(tenants.send, grant, method, path, **options),
            partial(tenants.send, grant, method, reference, **reference_options),
        )
    assert await tenants.dump() == before


async def test_nothing_is_answered_without_credentials(tenants: TwoTenants) -> None:
    for operation in ("query", "mutation"):
        for field, query in questions(schema._schema, tenants.values[OWN], operation):
            answer = await tenants.ask(None, query)
            assert (answer.status, answer.calls) == (401, ()), field
    for route, (method, path, options) in zip(TABLE, requests(tenants.values[OWN]), strict=True):
        answer = await tenants.send(None, method, path, **options)
        is_public = method == "GET" and route.path in WITHOUT_CREDENTIALS
        assert (answer.status == 401) is not is_public, route.path
        assert answer.calls == (), route.path
    for path, methods in tenants.paths.items():
        answer = await tenants.send(None, "POST" if "POST" in methods else "GET", path)
        assert (answer.status == 401) is (path not in OPEN_PATHS), path
        assert MARKER not in answer.text, path


@pytest.mark.parametrize("grant", ["viewer", "admin", "admin of an application"])
async def test_requests_for_the_own_organization_return_nothing_of_another(
    tenants: TwoTenants, grant: str
) -> None:
    """Its machine has the id of the foreign one."""
    texts = {}
    for field, query in questions(view(grant), tenants.values[OWN], "query"):
        texts[field] = (await tenants.ask(grant, query)).text
        assert MARKER not in texts[field], field
    for route, (method, path, options) in zip(TABLE, requests(tenants.values[OWN]), strict=True):
        if method == "GET":
            texts[route.path] = (await tenants.send(grant, method, path, **options)).text
            assert MARKER not in texts[route.path], route.path
    if grant in ("viewer", "admin"):
        for name in ("device", "series", "analytics", "/api/query/events"):
            assert f'"{OWN}"' in texts[name], name


async def test_a_foreign_cursor_is_no_cursor(tenants: TwoTenants) -> None:
    """Every cursor that an operator gets of the foreign organization, in every list of the own one."""
    scope = f'organizationId: "{FOREIGN}"'
    lists = f"""{{ organization({scope}) {{ devices {{ edges {{ cursor }} }} }}
      application({scope}, applicationId: "cnc") {{ devices(orderBy: {{field: NAME}}) {{ edges {{ cursor }} }} }}
      auditLog({scope}) {{ edges {{ cursor }} }} }}"""
    data = await tenants.run("operator", lists)
    connections = [data["organization"]["devices"], data["application"]["devices"], data["auditLog"]]
    invalid = "A" * len(connections[0]["edges"][0]["cursor"])
    rejected: dict[str, int] = {}
    for field, query in questions(view("admin"), {**tenants.values[OWN], "after": invalid}, "query"):
        if field in ("organizations", "organization", "application", "auditLog"):
            rejected[field] = (await tenants.ask("admin", query)).text.count("is not a cursor")
            for connection in connections:
                cursor = connection["edges"][0]["cursor"]
                answer = await tenants.ask("admin", query.replace(invalid, cursor))
                assert MARKER not in answer.text, field
                assert answer.text.count("is not a cursor") == rejected[field], field
    assert min(rejected.values()) > 0


async def test_a_foreign_idempotency_key_is_a_new_one(tenants: TwoTenants) -> None:
    """Both organizations have created everything under the same keys, each with its own input."""
    for creation in creations(OWN, "own"):
        if "createOrganization" not in creation:  # which is for operators
            repeated = await tenants.ask("admin", f"mutation {{ {creation} {{ __typename }} }}")
            assert "errors" not in repeated.text, repeated.text
    for creation in creations(FOREIGN, MARKER):
        query = f"mutation {{ {creation} {{ __typename }} }}"
        expected = await tenants.ask("admin", query.replace(FOREIGN, MISSING).replace(MARKER, "xxxxxx"))
        answer = await tenants.ask("admin", query)
        assert "errors" in answer.text
        assert answer.without_names() == expected.without_names(), creation


async def test_what_a_grant_forbids_costs_no_store_call(tenants: TwoTenants) -> None:
    """A grant for some applications asks for what belongs to its organization itself."""
    forbidden = set()
    for field, query in questions(view("admin of an application"), tenants.values[OWN], "mutation"):
        answer = await tenants.ask("admin of an application", query)
        if Forbidden.code in answer.text:
            forbidden.add(field)
            assert answer.calls == (), field
    assert {
        "updateOrganization",
        "createUser",
        "deleteGateway",
        "deleteApplication",
        "createApiKey",
    } <= forbidden
    for method, path, options in requests(tenants.values[OWN]):
        answer = await tenants.send("admin of an application", method, path, **options)
        assert answer.status != 403 or answer.calls == (), path


async def test_a_planted_leak_is_found(tenants: TwoTenants, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Grant, "covers", lambda grant, organization_id: True)
    leaks = await find_leaks(tenants, "viewer", FOREIGN)
    assert {"node", "organization", "application", "device", "documents"} <= leaks


async def test_series_that_leak_are_found(tenants: TwoTenants, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = SeriesLayout().find_location(FOREIGN)
    monkeypatch.setattr(SeriesLayout, "find_location", lambda layout, organization_id: foreign)
    leaks = await find_leaks(tenants, "viewer", OWN)
    assert {"device", "series", "analytics", "application"} <= leaks
