"""What a request may cost: it is estimated before the request is executed, and metered while it runs."""

from collections.abc import Callable
from typing import Any

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
from schema.server.limit_settings import LimitSettings
from schema.types.costs import COSTS, declared_cost, field_costs
from schema.types.root import schema
from tests.docs.markdown import PROJECT, list_documents, read_blocks
from tests.schema.client import Client

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


FIELD = {"measurement": "production", "field": "pieces_produced"}
MACHINE = {"organizationId": "o", "applicationId": "a", "machineId": "M"}
VALUES = {
    "FieldRef!": FIELD,
    "[FieldRef!]!": [FIELD],
    "[MachineRef!]!": [MACHINE],
    "TimeRange!": {"last": "P30D"},
}


def required_variables(document: DocumentNode) -> dict[str, Any]:
    """Something for each variable; the inputs of mutations cost nothing."""
    operation = get_operation_ast(document)
    assert operation is not None
    return {
        definition.variable.name.value: VALUES.get(print_ast(definition.type), "x")
        for definition in operation.variable_definitions or ()
    }


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
    assert (cost.documents, cost.points) == (30 + 2, 30 * 3 * 62)
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


OpenClient = Callable[..., Client]
