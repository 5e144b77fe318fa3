"""No byte of another tenant: every field, mutation and old route, asked with the ids of a foreign organization.

The questions are made from the schema and from the table of routes, so that a new field, argument or route is
asked without a change here. Everything that the foreign organization stores contains `MARKER`.
"""

import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import bson
import httpx
import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_required_argument,
    is_required_input_field,
)
from starlette.requests import Request

from compat_rest.app import create_app
from compat_rest.routes import TABLE
from resolvers.grants import OPEN, PUBLIC, Grant, Role
from schema.server.settings import Settings
from schema.types.roles import view_of
from stores.contracts.document_store import DocumentStore
from stores.contracts.documents import Collection
from stores.contracts.series import MACHINE, Point, WritableSeriesStore
from stores.entities.series_layout import SeriesLayout
from stores.opening import open_documents, open_series

OWN, FOREIGN, MARKER = "own", "foreign", "MARKER"
APPLICATION, MACHINE_ID = "cnc", "M0"
GRANTS = {
    "viewer": Grant("key", Role.VIEWER, frozenset({OWN})),
    "admin": Grant("key", Role.ADMIN, frozenset({OWN})),
    "admin of an application": Grant("key", Role.ADMIN, frozenset({OWN}), frozenset({"other"})),
    "nobody": PUBLIC,
}
# What values of arguments and input fields are made of, by name.
Values = dict[str, Any]
Send = Callable[[Grant, str], Any]


def literal(type_: Any, name: str, values: Values, depth: int = 0) -> str:
    """A value of an input type, with the ids of `values` wherever their names occur."""
    type_ = get_nullable_type(type_)
    if is_list_type(type_):
        return f"[{literal(type_.of_type, name, values, depth)}]"
    if name in values:
        return json.dumps(values[name])
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))  # type: ignore[no-any-return]  # the names of values
    if isinstance(type_, GraphQLInputObjectType):
        fields = {
            key: literal(field.type, key, values, depth + 1)
            for key, field in type_.fields.items()
            if is_required_input_field(field) or key in values
        }
        if type_.name == "TimeRange":
            fields["last"] = '"P30D"'
        return "{" + ", ".join(f"{key}: {value}" for key, value in fields.items()) + "}"
    plain = {"Int": "10", "Float": "1", "Boolean": "true", "JSON": "{}", "Duration": '"PT1H"'}
    return plain.get(type_.name, '"execution"' if name == "field" else '"state"')


def arguments(field: GraphQLField, values: Values) -> str:
    def is_given(name: str, argument: GraphQLArgument) -> bool:
        return is_required_argument(argument) or name in values or name in ("first", "of", "range")

    arguments = [f"{n}: {literal(a.type, n, values)}" for n, a in field.args.items() if is_given(n, a)]
    return f"({', '.join(arguments)})" if arguments else ""


def selection(view: GraphQLSchema, type_: Any, values: Values, path: tuple[str, ...] = ()) -> str:
    """Everything below a type, without going round in circles."""
    if is_leaf_type(type_):
        return ""
    if isinstance(type_, GraphQLInterfaceType):
        possible = view.get_possible_types(type_)
        return (
            "{ __typename "
            + " ".join(f"... on {t.name} {selection(view, t, values, path)}" for t in possible)
            + " }"
        )
    assert isinstance(type_, GraphQLObjectType)
    parts = ["__typename"]
    for name, field in type_.fields.items():
        named = get_named_type(field.type)
        if named.name in path or len(path) > 3:
            continue
        alias = f"{name}_{type_.name}"  # fields of one name differ in their types between types
        parts.append(
            f"{alias}: {name}{arguments(field, values)} {selection(view, named, values, (*path, type_.name))}"
        )
    return "{ " + " ".join(parts) + " }"


def questions(view: GraphQLSchema, values: Values, operation: str) -> Iterator[tuple[str, str]]:
    """An operation for each root field of a view, by its name."""
    root = view.query_type if operation == "query" else view.mutation_type
    for name, field in root.fields.items() if root else ():
        below = selection(view, get_named_type(field.type), values, (root.name,) if root else ())
        yield name, f"{operation} {{ {name}{arguments(field, values)} {below} }}"


def fill_path(path: str, values: Values) -> str:
    """The path of an old route with the ids of `values`."""
    fixed = {"format": "svg", "category": "drivers", "name": "x", "eventClassId": "e", "functionId": "f"}
    for key, value in {**values, "connectorId": values["documentId"], **fixed}.items():
        path = path.replace(f"{{{key}}}", str(value))
    assert "{" not in path, path
    return path


class Plant:
    """Two organizations that look alike, and clients with any grant."""

    def __init__(self, documents: DocumentStore, series: WritableSeriesStore, folder: Path) -> None:
        self.documents = documents
        self._series, self._folder = series, folder
        self._clients: dict[Grant, httpx.AsyncClient] = {}
        self.values: Values = {}  # of the foreign organization
        self.own_values: Values = {}

    def client(self, grant: Grant) -> httpx.AsyncClient:
        if grant not in self._clients:

            async def authenticate(request: Request) -> Grant:
                return grant

            settings = Settings.model_validate({"data": self._folder, "graphql": {"max_tokens": 200_000}})
            app = create_app(
                settings, documents=self.documents, series=self._series, authenticate=authenticate
            )
            transport = httpx.ASGITransport(app)
            self._clients[grant] = httpx.AsyncClient(transport=transport, base_url="http://gateway")
        return self._clients[grant]

    async def ask(self, grant: Grant, query: str) -> httpx.Response:
        return await self.client(grant).post("/graphql", json={"query": query})

    async def data(self, grant: Grant, query: str) -> Any:
        answer = (await self.ask(grant, query)).json()
        assert "errors" not in answer, answer
        return answer["data"]

    async def fill(self) -> None:
        now = time.time_ns()
        for organization, text in ((OWN, "own"), (FOREIGN, MARKER)):
            for mutation in (
                f'createOrganization(input: {{organizationId: "{organization}", name: "{text}"}})',
                f'createApplication(input: {{organizationId: "{organization}", applicationId: "cnc", name: "{text}"}})',
                f'createUser(input: {{organizationId: "{organization}", name: "{text}", email: "{text}"}})',
                f'createGateway(input: {{organizationId: "{organization}", gatewayId: "g", name: "{text}"}})',
                f'createConnector(input: {{organizationId: "{organization}", name: "{text}", driver: "{text}"}})',
                f"""createDevice(input: {{organizationId: "{organization}", applicationId: "cnc",
                  machineId: "{MACHINE_ID}", name: "{text}"}})""",
                f"""addEventClass(input: {{organizationId: "{organization}", applicationId: "cnc", eventClass: {{
                  eventClassId: "e", class: "{text}", topic: "{text}", type: "INT"}}}})""",
                f"""createFunction(input: {{organizationId: "{organization}", applicationId: "cnc", functionId: "f",
                  name: "{text}", expression: "{text}", variables: ["x"]}})""",
            ):
                await self.data(OPEN, f"mutation {{ {mutation} {{ __typename }} }}")
            # Both machines have the same id, and their points of one time differ.
            database = SeriesLayout().find_location(organization).database
            tags = ((MACHINE, MACHINE_ID),)
            points = [Point("state", tags, {"power": True, "execution": text}, now)]
            assert await self._series.write(database, points) == [None]
        self.values, self.own_values = await self.list_values(FOREIGN), await self.list_values(OWN)

    async def list_values(self, organization_id: str) -> Values:
        query = """{ organization(organizationId: "%s") { id connectors { documentId }
            devices { edges { cursor } nodes { id } } } }"""
        organization = (await self.data(OPEN, query % organization_id))["organization"]
        return {
            "organizationId": organization_id,
            "organizationIds": organization_id,
            "applicationId": APPLICATION,
            "machineId": MACHINE_ID,
            "documentId": organization["connectors"][0]["documentId"],
            "id": organization["devices"]["nodes"][0]["id"],
            "name": "changed",
            "search": MARKER,
        }

    async def dump(self) -> dict[str, list[bytes]]:
        """Every document of the foreign organization, encoded."""
        database = self.documents.database(FOREIGN)
        return {
            name: [bson.encode(document) for document in await database.find(Collection(name))]
            for name in await database.list_collections()
        }


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    documents, series = open_documents(None, data=tmp_path), open_series(None, data=tmp_path)
    assert isinstance(series, WritableSeriesStore)
    plant = Plant(documents, series, tmp_path)
    await plant.fill()
    yield plant
    await documents.close()
    await series.close()


async def test_an_operator_finds_the_marker_so_a_leak_would_be_seen(plant: Plant) -> None:
    leaks = [
        name
        for name, query in questions(view_of(OPEN), plant.values, "query")
        if MARKER in (await plant.ask(OPEN, query)).text
    ]
    assert {"node", "organizations", "organization", "application", "device", "analytics", "documents"} <= {
        *leaks
    }


@pytest.mark.parametrize("name", GRANTS)
async def test_no_query_answers_a_byte_of_a_foreign_organization(plant: Plant, name: str) -> None:
    grant = GRANTS[name]
    for field, query in questions(view_of(grant), plant.values, "query"):
        answer = await plant.ask(grant, query)
        assert "Cannot query" not in answer.text, field
        assert MARKER not in answer.text, field


@pytest.mark.parametrize("name", GRANTS)
async def test_series_of_a_machine_with_the_same_id_are_not_mixed(plant: Plant, name: str) -> None:
    """The own machine has the id of a foreign one, and every field and route is asked for the own one."""
    grant = GRANTS[name]
    texts = {}
    for field, query in questions(view_of(grant), plant.own_values, "query"):
        texts[field] = (await plant.ask(grant, query)).text
        assert MARKER not in texts[field], field
    for route in TABLE:
        if route.method == "GET":
            path = fill_path(route.path, plant.own_values)
            texts[route.path] = (await plant.client(grant).get(path)).text
            assert MARKER not in texts[route.path], route.path
    if name in ("viewer", "admin"):
        for question in ("device", "series", "analytics", "/api/query/events"):
            assert f'"{OWN}"' in texts[question], question


async def test_series_that_leak_are_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = SeriesLayout().find_location(FOREIGN)
    monkeypatch.setattr(SeriesLayout, "find_location", lambda layout, organization_id: foreign)
    grant = GRANTS["viewer"]
    leaks = {
        field
        for field, query in questions(view_of(grant), plant.own_values, "query")
        if MARKER in (await plant.ask(grant, query)).text
    }
    assert {"device", "series", "analytics", "application"} <= leaks


async def test_a_planted_leak_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Grant, "covers", lambda grant, organization_id: True)
    grant = GRANTS["viewer"]
    leaks = [
        field
        for field, query in questions(view_of(grant), plant.values, "query")
        if MARKER in (await plant.ask(grant, query)).text
    ]
    assert {"node", "organization", "application", "device", "documents"} <= {*leaks}


@pytest.mark.parametrize("name", GRANTS)
async def test_no_mutation_changes_a_foreign_organization(plant: Plant, name: str) -> None:
    before = await plant.dump()
    for field, mutation in questions(view_of(GRANTS[name]), plant.values, "mutation"):
        answer = await plant.ask(GRANTS[name], mutation)
        assert MARKER not in answer.text, field
        assert await plant.dump() == before, field


@pytest.mark.parametrize("name", GRANTS)
async def test_no_old_route_reads_or_changes_a_foreign_organization(plant: Plant, name: str) -> None:
    before = await plant.dump()
    http = plant.client(GRANTS[name])
    for route in TABLE:
        path = fill_path(route.path, plant.values)
        query = {"organizationId": FOREIGN} if "organizationId" in route.query else None
        body = (
            None
            if route.method == "GET"
            else {**plant.values, "enabled": True, "gatewayId": "x", "email": "x"}
        )
        answer = await http.request(route.method, path, json=body, params=query)
        assert MARKER not in answer.text, route.path
        assert await plant.dump() == before, route.path
