"""What a request may cost: it is estimated before the request is executed, and metered while it runs."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    GraphQLObjectType,
    IntValueNode,
    NameNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_operation_ast,
    parse,
    print_ast,
    separate_operations,
    visit,
)

from resolvers.metering import Cost, exceeded_limit
from schema.engine.costs.declarations import SATURATED, CostScope
from schema.engine.costs.formula import CostFormula
from schema.server.app import create_app
from schema.server.limit_settings import LimitSettings
from schema.server.settings import Settings
from schema.types.costs import COSTS, declared_cost, field_costs
from schema.types.root import schema
from stores.contracts.document_store import DocumentStore
from stores.contracts.series import SECOND, WritableSeriesStore
from stores.entities.connectors import Connector
from stores.entities.devices import Device
from stores.entities.organizations import Organization
from tests.docs.markdown import PROJECT, list_documents, read_blocks
from tests.schema.client import Client
from tests.schema.machines import NOW, put

DEFAULTS = LimitSettings().costs()
OPERATOR = CostScope(organizations=1000)
CONNECTORS = """query($n: Int) { application(organizationId: "long", applicationId: "cnc") {
  connectors { name } devices(first: $n) { nodes { machineId } } } }"""
APPLICATIONS = '{ organization(organizationId: "long") { applications { name } } }'


def estimate(query: str, **variables: Any) -> Cost:
    """What the operator's request may cost."""
    core = schema.execution_context_class.build(schema._schema, parse(query), raw_variable_values=variables)
    assert not isinstance(core, list), core
    return CostFormula(core, field_costs()).evaluate(core, OPERATOR)


def documented_queries() -> dict[str, DocumentNode]:
    """The operations of the documentation and of the old routes, by where they are."""
    queries = {
        f"{path.name}:{number}": parse(block.text)
        for path in list_documents()
        for number, block in enumerate(read_blocks(path))
        if block.language == "graphql" and "sdl" not in block.options
    }
    old = (PROJECT / "compat_rest" / "operations.graphql").read_text()
    return queries | separate_operations(parse(old))


def with_longest_pages(document: DocumentNode) -> DocumentNode:
    """The operation with `first: 1000` wherever that is possible."""
    types = TypeInfo(schema._schema)

    class LongestPages(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> FieldNode:
            definition = types.get_field_def()
            if definition is None or "first" not in definition.args:
                return node
            others = [argument for argument in node.arguments or () if argument.name.value != "first"]
            first = ArgumentNode(name=NameNode(value="first"), value=IntValueNode(value="1000"))
            return FieldNode(
                alias=node.alias,
                name=node.name,
                directives=node.directives,
                arguments=(*others, first),
                selection_set=node.selection_set,
            )

    changed: DocumentNode = visit(document, TypeInfoVisitor(types, LongestPages()))
    return changed


def required_variables(document: DocumentNode) -> dict[str, Any]:
    """Something for each variable; the inputs of mutations cost nothing."""
    operation = get_operation_ast(document)
    assert operation is not None
    names = [definition.variable.name.value for definition in operation.variable_definitions or ()]
    return {name: "x" for name in names}


def test_every_field_has_a_cost_and_every_cost_is_of_a_field() -> None:
    fields = {
        f"{type_.name}.{name}": declared_cost(type_.name, name, field)
        for type_ in schema._schema.type_map.values()
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__")
        for name, field in type_.fields.items()
    }
    assert [name for name, cost in fields.items() if cost is None] == []
    assert COSTS.keys() - fields.keys() == set()


def test_what_reads_a_store_needs_a_row() -> None:
    organization = schema._schema.type_map["Organization"]
    assert isinstance(organization, GraphQLObjectType)
    for name in ("users", "deviceCount", "applications"):  # a list of objects that are there is one, too
        assert declared_cost("Other", name, organization.fields[name]) is None
    assert declared_cost("Other", "description", organization.fields["description"]) is not None


def test_documented_queries_pass_with_the_longest_pages() -> None:
    refused = {}
    for name, document in documented_queries().items():
        longest = with_longest_pages(document)
        if "input" not in required_variables(longest):
            cost = estimate(print_ast(longest), **required_variables(longest))
            refused[name] = exceeded_limit(cost, DEFAULTS)
    assert len(refused) > 40
    assert {name: str(error) for name, error in refused.items() if error} == {}


def test_list_sizes_multiply_along_the_path() -> None:
    one = estimate("{ organizations(first: 7) { nodes { applications { name } } } }")
    assert one.objects == 1 + 7 + 7 * 20
    assert one.calls == 3
    counted = estimate("{ organizations(first: 7) { nodes { applications { name deviceCount } } } }")
    assert counted.calls == one.calls + 1  # once for the whole level
    devices = (
        "{ organizations(first: 7) { nodes { applications { devices(first: 10) { nodes { name } } } } } }"
    )
    assert estimate(devices).documents == one.documents + 7 * 20 * 11


def test_what_loaders_share_is_counted_once() -> None:
    device = '{ device(organizationId: "o", applicationId: "a", machineId: "m") { %s } }'
    both = estimate(device % "application { name } organization { name }")
    assert both[:2] == estimate(device % "application { name }")[:2] == (2, 3)
    assert estimate(device % "organization { a: name b: name } organization { c: name }")[:2] == (2, 3)


def test_lengths_of_list_arguments_are_multipliers() -> None:
    query = """query($m: [MachineRef!]!, $f: [FieldRef!]!, $e: Every, $a: Aggregate) {
      series(machines: $m, fields: $f, range: {last: "PT1H"}, every: $e, aggregate: $a) {
        series { count } } }"""
    machines = [{"organizationId": "o", "applicationId": "a", "machineId": f"M{n}"} for n in range(30)]
    fields = [{"measurement": "m", "field": f"f{n}"} for n in range(3)]
    cost = estimate(query, m=machines, f=fields, e={"duration": "PT1M"}, a="MEAN")
    assert (cost.documents, cost.points) == (30, 30 * 3 * 62)
    assert estimate(query, m=machines[:1], f=fields, e={"duration": "PT1M"}, a="MEAN").points == 3 * 62
    assert estimate(query, m=machines, f=fields).points == 0  # the meter limits samples


def test_an_abstract_type_costs_the_maximum_of_its_types() -> None:
    query = '{ node(id: "x") { %s } }'
    user = "... on User { organization { users { name } } }"
    gateway = "... on Gateway { organization { devices(first: 5) { nodes { name } } } }"
    costs = [estimate(query % kinds) for kinds in (user, gateway, user + gateway)]
    assert costs[2].objects == max(costs[0].objects, costs[1].objects)


def test_numbers_saturate() -> None:
    nested = "name"
    for _ in range(30):
        nested = f"applications {{ organization {{ {nested} }} }}"
    cost = estimate(f'{{ organization(organizationId: "o") {{ {nested} }} }}')
    assert cost.objects == SATURATED


def test_fragments_that_double_are_estimated_once_each() -> None:
    query = '{ organization(organizationId: "o") { ...F30 } } fragment F0 on Organization { name }'
    for n in range(1, 31):
        twice = " ".join(f"{alias}: applications {{ organization {{ ...F{n - 1} }} }}" for alias in "ab")
        query += f" fragment F{n} on Organization {{ {twice} }}"
    assert estimate(query).objects == SATURATED


def test_combinations_of_fragments_do_not_explode() -> None:
    """Each level merges another subset of the fragments: their number would double with each level."""
    query = '{ organization(organizationId: "o") { ...A0 ...B0 } }'
    for n in range(14):
        for fragment in "AB":
            spreads = f"...A{n + 1} ...B{n + 1}" if n < 13 else "name"
            body = " ".join(
                f"x{i}{fragment if i else ''}: applications {{ organization {{ {spreads} }} }}"
                for i in range(3)
            )
            query += f" fragment {fragment}{n} on Organization {{ {body} }}"
    assert estimate(query).objects > DEFAULTS.objects


def test_the_same_query_costs_the_same_inline_and_by_variables() -> None:
    selection = "{ nodes { name connectors { name } } totalCount }"
    query = '%s { application(organizationId: "o", applicationId: "a") { devices(%s) %s } }'
    inline = query % ("query", 'first: 30, filter: {search: "x"}', selection)
    declared = "query($n: Int, $f: DeviceFilter, $yes: Boolean!)"
    variable = query % (declared, "first: $n, filter: $f", f"@include(if: $yes) {selection}")
    by_variables = estimate(variable, n=30, f={"search": "x"}, yes=True)
    assert estimate(inline) == by_variables
    without = estimate(variable, n=30, yes=False)
    assert without.documents < by_variables.documents


@pytest.fixture
async def long_plant(documents: DocumentStore, series: WritableSeriesStore) -> None:
    """Lists that are longer than their declared maxima."""
    database = documents.database("long")
    settings = {"cnc": {"name": "CNC"}, **{f"app{n}": {"name": "A"} for n in range(59)}}
    entry = {"_id": ObjectId(), "key": "applications", "value": {"applicationSettings": settings}}
    await database.upsert(Organization.collection_of(), [entry])
    connectors = [{"_id": ObjectId(), "name": f"C{n}", "driver": "fanuc"} for n in range(40)]
    await database.upsert(Connector.collection_of("cnc"), connectors)
    await database.upsert(Device.collection_of("cnc"), [{"_id": ObjectId(), "machineId": "M0"}])
    points = [put("m", "M0", NOW - n * SECOND, f=n) for n in range(100)]
    assert not any(await series.write("organization/long", points))


OpenClient = Callable[..., Client]


@pytest.fixture
async def open_client(
    tmp_path: Path, documents: DocumentStore, series: WritableSeriesStore
) -> AsyncIterator[OpenClient]:
    """Opens a client of an application with these limits."""
    clients: list[Client] = []

    def open_with(**limits: Any) -> Client:
        settings = Settings(data=tmp_path, limits=LimitSettings(**limits))
        clients.append(Client(create_app(settings, documents=documents, series=series), documents))
        return clients[-1]

    yield open_with
    for client in clients:
        await client.http.aclose()


SAMPLES = """{ device(organizationId: "long", applicationId: "cnc", machineId: "M0") {
  series(measurement: "m", field: "f", range: {last: "P1D"}) { count } } }"""


@pytest.mark.parametrize(
    ("limit", "maximum", "query", "cost"),
    [
        ("calls", 3, CONNECTORS, 4),
        ("documents", 30, CONNECTORS, 2 + 20 + 51),
        ("objects", 20, APPLICATIONS, 21),
    ],
)
async def test_a_request_that_may_cost_too_much_calls_no_store(
    open_client: OpenClient,
    limit: str,
    maximum: int,
    query: str,
    cost: int,
) -> None:
    client = open_client(**{limit: maximum})
    answer = await client.send(query)
    assert "data" not in answer
    [error] = answer["errors"]
    assert error["extensions"] == {"code": "LIMIT_EXCEEDED", "limit": limit}
    assert getattr(estimate(query), limit) == cost
    assert client.calls == []


@pytest.mark.parametrize(
    ("limit", "maximum", "query"),
    [("documents", 30, CONNECTORS), ("objects", 50, APPLICATIONS), ("points", 90, SAMPLES)],
)
async def test_beyond_the_declared_maxima_the_meter_stops_the_request(
    open_client: OpenClient,
    long_plant: None,
    limit: str,
    maximum: int,
    query: str,
) -> None:
    client = open_client(**{limit: maximum})
    for _ in range(3):  # by graphql-core, then by a plan
        answer = await client.send(query, n=3)
        assert answer["data"] is None
        [error] = answer["errors"]
        assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
        assert error["extensions"]["limit"] == limit
        assert "path" not in error
    client = open_client(**{limit: maximum}, warn_only=[limit])
    for _ in range(3):
        answer = await client.send(query, n=3)
        assert "errors" not in answer
        application = answer["data"].get("application")
        assert application is None or len(application["connectors"]) == 40


async def test_a_list_is_read_no_further_than_the_limit(open_client: OpenClient, long_plant: None) -> None:
    query = '{ documents(organizationId: "long", applicationId: "cnc", of: CONNECTORS) }'
    client = open_client(documents=25)
    body = {"query": query, "extensions": {"cost": True}}
    answer = (await client.http.post("/graphql", json=body)).json()
    assert answer["errors"][0]["extensions"]["limit"] == "documents"
    assert answer["extensions"]["cost"]["actual"]["documents"] == 26


async def test_a_mutation_that_has_started_finishes(open_client: OpenClient, long_plant: None) -> None:
    mutation = """mutation { updateApplication(
      input: {organizationId: "long", applicationId: "cnc", name: "N"}
    ) { application { name connectors { name } } } }"""
    client = open_client(documents=60)
    changed = await client.run(mutation)
    assert len(changed["updateApplication"]["application"]["connectors"]) == 40


async def test_a_request_is_told_its_cost_if_it_asks(client: Client, plant: str) -> None:
    query = """query($o: String!) { organization(organizationId: $o) {
      applications { devices { nodes { name } } } } }"""
    body = {"query": query, "variables": {"o": plant}, "extensions": {"cost": True}}
    for _ in range(2):
        cost = (await client.http.post("/graphql", json=body)).json()["extensions"]["cost"]
        assert cost["actual"] == {"calls": 2, "documents": 5, "points": 0, "objects": 6}
        assert cost["estimate"] == estimate(query, o=plant)._asdict()
        assert cost["limit"] == DEFAULTS._asdict()
        assert cost["byPath"]["organization.applications.devices"] == {
            "calls": 20,
            "documents": 20 * 51,
            "points": 0,
            "objects": 20,
        }
        sums = [sum(path[name] for path in cost["byPath"].values()) for name in Cost._fields]
        assert dict(zip(Cost._fields, sums, strict=True)) == cost["estimate"]
    parameters = {"query": "{ viewer { name } }", "extensions": json.dumps({"cost": True})}
    answer = (await client.http.get("/graphql", params=parameters)).json()
    assert answer["extensions"]["cost"]["actual"]["calls"] == 0
    assert (
        "extensions" not in (await client.http.post("/graphql", json={"query": "{ viewer { name } }"})).json()
    )
