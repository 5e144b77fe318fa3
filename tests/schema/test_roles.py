"""Each role sees its own view of the graph: what it may not ask for is an unknown field."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from graphql import GraphQLObjectType, GraphQLSchema, validate_schema
from starlette.requests import Request

from compat_rest.app import create_app
from resolvers.grants import Grant, Role
from schema.server.settings import Settings
from schema.types.roles import REQUIRED_ROLES, find_required_role, view_of
from schema.types.root import schema
from stores.contracts.document_store import DocumentStore
from stores.contracts.errors import Forbidden, Unauthenticated
from stores.contracts.series import WritableSeriesStore
from tests.schema.client import Client

ORGANIZATIONS = frozenset({"own"})
GRANTS = {role: Grant(role.name, role, None if role is Role.OPERATOR else ORGANIZATIONS) for role in Role}
Connect = Callable[[Grant], Client]


@pytest.fixture
def connect(documents: DocumentStore, series: WritableSeriesStore, tmp_path: Path) -> Connect:
    """A client of the whole application, old routes included, whose requests all have one grant."""

    def connect(grant: Grant) -> Client:
        async def authenticate(request: Request) -> Grant:
            return grant

        app = create_app(
            Settings(data=tmp_path), documents=documents, series=series, authenticate=authenticate
        )
        return Client(app, documents)

    return connect


def fields_of(view: GraphQLSchema) -> set[str]:
    return {
        f"{name}.{field}"
        for name, type_ in view.type_map.items()
        if isinstance(type_, GraphQLObjectType) and not name.startswith("__")
        for field in type_.fields
    }


def test_every_field_has_a_row_and_every_row_a_field() -> None:
    every_field = fields_of(schema._schema)
    rows = set()
    for field in every_field:
        type_name, _ = field.split(".")
        assert {field, type_name} & REQUIRED_ROLES.keys(), f"{field} needs a row"
        rows |= {field, type_name} & REQUIRED_ROLES.keys()
        if type_name in ("Query", "Mutation"):
            assert field in REQUIRED_ROLES, "fields of the root types have rows of their own"
    assert rows == REQUIRED_ROLES.keys()


@pytest.mark.parametrize("role", Role)
def test_a_view_is_valid_and_holds_the_fields_of_its_role_only(role: Role) -> None:
    view = view_of(GRANTS[role])
    assert not validate_schema(view)
    assert fields_of(view) == {
        field for field in fields_of(schema._schema) if find_required_role(*field.split(".")) <= role
    }


def test_roles_are_nested_and_a_key_for_ingest_reads_nothing() -> None:
    views = [fields_of(view_of(GRANTS[role])) for role in Role]
    assert all(smaller < larger for smaller, larger in pairwise(views))
    with pytest.raises(Forbidden):
        view_of(Grant("writer", None, ORGANIZATIONS, ingest=True))


async def test_a_hidden_field_is_an_unknown_field(connect: Connect) -> None:
    viewer, operator = connect(GRANTS[Role.VIEWER]), connect(GRANTS[Role.OPERATOR])
    for query, known in (
        ("{ services { name } }", "services"),
        ("{ analytics { cpu { usage } } }", "cpu"),
        ('mutation { deleteService(input: {documentId: "x"}) { service { name } } }', None),
    ):
        response = await viewer.http.post("/graphql", json={"query": query})
        [error] = response.json()["errors"][:1]
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert known is None or f"Cannot query field '{known}'" in error["message"]
        answer = await operator.http.post("/graphql", json={"query": query})
        assert "Cannot query" not in answer.text


async def test_introspection_shows_the_view(connect: Connect) -> None:
    query = """{ __schema { types { name } mutationType { name } } __type(name: "Service") { name }
      query: __type(name: "Query") { fields { name } } }"""
    viewer = await connect(GRANTS[Role.VIEWER]).run(query)
    assert viewer["__schema"]["mutationType"] is None
    assert viewer["__type"] is None
    names = {type_["name"] for type_ in viewer["__schema"]["types"]}
    assert names.isdisjoint({"Service", "ServiceType", "CreateDeviceInput", "UnassignedMachine"})
    assert "services" not in {field["name"] for field in viewer["query"]["fields"]}
    operator = await connect(GRANTS[Role.OPERATOR]).run(query)
    assert operator["__type"] == {"name": "Service"}


async def test_an_argument_of_an_enumeration_is_the_same_in_a_view(connect: Connect) -> None:
    query = """{ documents(organizationId: "own", applicationId: "cnc", of: DEVICES) }"""
    assert await connect(GRANTS[Role.VIEWER]).run(query) == {"documents": []}


async def test_old_routes_require_the_role_of_their_operation(connect: Connect) -> None:
    viewer = connect(GRANTS[Role.VIEWER]).http
    for method, path, status in (
        ("GET", "/status", 200),
        ("GET", "/api/organizations", 200),
        ("GET", "/api/services", 403),
        ("GET", "/device/M1", 403),
        ("GET", "/api/query/cpu", 403),
        ("POST", "/api/organizations/own/users", 403),
        ("PUT", "/api/organizations/own", 403),
    ):
        response = await viewer.request(method, path, json={} if method != "GET" else None)
        assert response.status_code == status, (path, response.text)
        if status == 403:
            assert "requires the role" in response.json()["error"]


async def test_without_a_credential_only_what_is_public_is_answered(
    documents: DocumentStore, series: WritableSeriesStore, tmp_path: Path
) -> None:
    async def authenticate(request: Request) -> Grant:
        raise Unauthenticated("Send a key")

    app = create_app(Settings(data=tmp_path), documents=documents, series=series, authenticate=authenticate)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as http:
        for path in ("/status", "/health/live", "/api/library/drivers/fanuc/icon"):
            assert (await http.get(path)).status_code == 200, path
        graph = await http.post("/graphql", json={"query": "{ viewer { subject } }"})
        assert graph.json()["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
        old = await http.get("/api/organizations")
        assert old.json() == {"error": "Send a key"}
        for response in (graph, old):
            assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")


async def test_an_organization_is_created_by_operators_only(connect: Connect) -> None:
    admin = connect(GRANTS[Role.ADMIN]).http
    for organization in ("own", "foreign"):
        response = await admin.put(f"/api/organizations/{organization}", json={"name": "mine"})
        assert (response.status_code, response.json()) == (404, {"error": "Organization not found"})
    operator = connect(GRANTS[Role.OPERATOR]).http
    assert (await operator.put("/api/organizations/own", json={})).status_code == 200
    assert (await admin.put("/api/organizations/own", json={"name": "mine"})).status_code == 200
