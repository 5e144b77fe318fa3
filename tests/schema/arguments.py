"""Operations that give every argument of the schema null, boundary and oversized values."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    get_named_type,
)
from hypothesis import strategies as st

from schema.types.root import schema

DEEP: Any = {"a": 1}
for _ in range(70):
    DEEP = {"a": DEEP}
LONG, TOO_LONG = "a" * 1025, "a" * 100_000
STRINGS = [
    *("", " ", "\0", "a", LONG, TOO_LONG, "$x", "a.b", "../..", "\xe9", "\U0001f600", "system.x", "*"),
    *("ferro-works", "cnc-monitoring", "LATHE-01", "000000000000000000000000", "A" * 24, "UTC", "UTC\0"),
    *("Europe/Berlin", "../Europe/Berlin", "state", "process", "value", "power", "big", "v"),
    *("WyJEZXZpY2UiLG51bGwsbnVsbCwxXQ", "svg", "drivers", "Algebraic Function", "Counter", "FLOAT"),
]
INTS = [0, -1, 1, 1000, 1001, 2**31 - 1, -(2**31)]
VALUES: dict[str, list[Any]] = {
    "String": STRINGS,
    "ID": STRINGS,
    "Int": INTS,
    "Float": [*INTS, 0.5, 1e308, -1e308, 5e-324, 2**53 + 1, 2**64, 10**400],
    "Boolean": [True, False],
    "DateTime": [
        *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999Z"),
        *("9999-12-31T23:59:59-14:00", "1677-09-21T00:12:43Z", "2262-04-11T23:47:17Z"),
        *("1970-01-01T00:00:00Z", "2026-09-21T14:00:00Z", "2026-09-21T14:30:00Z"),
        *("2026-01-31T09:05:07.123456789Z", "2026-02-30T00:00:00Z", "2026-01-31T24:00:00Z"),
        *("2026-01-31T00:00:60Z", "2026-W05-1T00:00:00Z", "\uff12\uff10\uff12\uff16-01-31T00:00:00Z"),
        *("2026-01-31T00:00:00", "2026-01-31", "T", ""),
    ],
    "Duration": [
        *("PT0S", "PT1S", "PT1H", "P1D", "P30D", "PT0.000000001S", "P999999999W", "PT999999999H", "-PT1H"),
        *("P999999999WT999999999H999999999M999999999S", "P", "PT", "", "PT1H1"),
    ],
    "JSON": [
        *(0, -1, 2**53, 2**53 + 1, 2**63, 2**64, 10**30, 10**400, 1e308, True, "", "text", "\0", TOO_LONG),
        *([], {}, [None], [[[]]], {"": 1}, {"$set": 1}, {"a.b": 1}, {"\0": 1}, {"a": {"$where": "x"}}, DEEP),
        *(["a"] * 5000, {"password": "********"}, {"password": None}, [{}], {"class": 5}, {"name": "c"}),
        *({"name": "c", "eventClass": "EXECUTION"}, {"machineId": 5}, {"name": {}, "type": [], "driver": 1}),
    ],
    "BigInt": ["", "1", "x", "1.5", "9" * 101],
    "Base64": ["", "!", "A", "AAAA", "iVBORw0KGgo=", "/9j/", "PHN2Zy8+", "PHN2Zz4=", "PD94bWwgdmVyc2lvbg=="],
}
WRONG = [5, 1.5, "1", True, [], {}, 10**30, 2**31, 10**400, "NONSENSE"]
SAMPLES: dict[str, Any] = {
    "organizationId": "ferro-works",
    "applicationId": "cnc-monitoring",
    "machineId": "LATHE-01",
    "measurement": "big",
    "field": "v",
    "range": {"from": "2026-09-21T14:00:00Z", "to": "2026-09-21T15:00:00Z"},
    "key": "ip",
    "documentId": "6965dfbc5c3c8a61204e72b0",
    "id": "WyJBcHBsaWNhdGlvbiIsImZlcnJvLXdvcmtzIiwiY25jLW1vbml0b3JpbmciXQ",
    "category": "drivers",
    "name": "fanuc",
    "email": "new@example.com",
    "gatewayId": "new",
    "functionId": "fn_good_parts",
    "content": "PHN2Zy8+",
    "sourceId": "s",
    "class": "EXECUTION",
}
FUNCTION = {"expression": "a + b", "variables": ["a", "b"]}
SERVICE = {"documentId": "69648e6c8c5cfb05208949a2"}
DEVICE_ORDER = {"field": "NAME"}
SAMPLES_OF: dict[str, dict[str, Any]] = {  # by the field whose arguments they are
    "devices": DEVICE_ORDER,
    "legacyDevices": DEVICE_ORDER,
    "createOrganization": {"organizationId": "new"},
    "createApplication": {"applicationId": "new"},
    "createDevice": {"machineId": "NEW"},
    "createConnector": {"driver": "fanuc"},
    "createFunction": {"functionId": "new", **FUNCTION},
    "updateFunction": FUNCTION,
    "addEventClass": {"class": "NEW", "topic": "t", "type": "STR"},
    "setEventClasses": {"topic": "t", "type": "STR"},
    "setShiftPlan": {"name": "Early", "start": "06:00", "end": "14:00"},
    "createService": {"type": "MQTT", "configuration": {"host": "h", "password": "demo-only"}},
    "updateService": SERVICE,
    "setServiceEnabled": {**SERVICE, "enabled": True},
    "deleteService": SERVICE,
}
OMITTED = object()


class Step(NamedTuple):
    """A field on the way from a root type to the field under test."""

    parent: GraphQLObjectType | GraphQLInterfaceType
    name: str

    @property
    def arguments(self) -> dict[str, GraphQLArgument]:
        arguments: dict[str, GraphQLArgument] = self.parent.fields[self.name].args
        return arguments


Path = tuple[Step, ...]


def root_paths(kind: str) -> list[Path]:
    """The shortest path to each field that has arguments, from one of the root types."""
    root = schema._schema.query_type if kind == "query" else schema._schema.mutation_type
    assert root is not None
    paths: list[Path] = []
    visited: set[str] = set()
    queue: list[tuple[Path, GraphQLOutputType]] = [((), root)]
    for path, type_ in queue:
        named = get_named_type(type_)
        if not isinstance(named, GraphQLObjectType) or named.name in visited:
            continue
        visited.add(named.name)
        for name, definition in named.fields.items():
            step = Step(named, name)
            if definition.args:
                paths.append((*path, step))
            if kind == "query":
                queue.append(((*path, step), definition.type))
    return paths


def walk_arguments() -> Iterator[str]:
    """The coordinates of all arguments that operations are made for."""
    for kind in ("query", "mutation"):
        for path in root_paths(kind):
            for name in path[-1].arguments:
                yield f"{path[-1].parent.name}.{path[-1].name}({name}:)"


class Values:
    """The values of the arguments of one field."""

    def __init__(self, field_name: str) -> None:
        self._samples = {**SAMPLES, **SAMPLES_OF.get(field_name, {})}

    def any_value(self, type_: GraphQLInputType, name: str) -> st.SearchStrategy[Any]:
        """Mostly a value of the right kind, often at a boundary; sometimes null, or of a wrong kind."""

        @st.composite
        def build(draw: st.DrawFn) -> Any:
            inner = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
            match draw(st.integers(0, 9)):
                case 0:
                    return None
                case 1:
                    return draw(st.sampled_from(WRONG))
            if isinstance(inner, GraphQLList):
                item = self.any_value(inner.of_type, name)
                return draw(st.one_of(st.lists(item, max_size=3), item, item.map(lambda one: [one] * 1001)))
            if isinstance(inner, GraphQLEnumType):
                return draw(st.sampled_from(list(inner.values)))
            if isinstance(inner, GraphQLInputObjectType):
                return draw(self.input_object(inner))
            sample = [self._samples[name]] if name in self._samples else []
            return draw(st.sampled_from([*sample, *VALUES[inner.name]]))

        return build()

    def input_object(self, type_: GraphQLInputObjectType) -> st.SearchStrategy[Any]:
        """An object with samples for most fields, and any values for some."""

        @st.composite
        def build(draw: st.DrawFn) -> dict[str, Any]:
            if type_.is_one_of:
                name = draw(st.sampled_from(list(type_.fields)))
                return {name: draw(self.any_value(type_.fields[name].type, name))}
            wild = draw(st.sets(st.sampled_from(list(type_.fields)), max_size=2))
            value = {
                name: draw(self.any_value(definition.type, name))
                if name in wild
                else self.sample(definition.type, name)
                for name, definition in type_.fields.items()
            }
            return {name: item for name, item in value.items() if item is not OMITTED}

        return build()

    def sample(self, type_: GraphQLInputType, name: str) -> Any:
        """A value that is good for the demo plant; OMITTED where none is needed."""
        if name in self._samples:
            return self._samples[name]
        if not isinstance(type_, GraphQLNonNull):
            return OMITTED
        inner: Any = type_.of_type
        if isinstance(inner, GraphQLList):
            return [self.sample(inner.of_type, name)]
        if isinstance(inner, GraphQLInputObjectType):
            fields = {key: self.sample(item.type, key) for key, item in inner.fields.items()}
            return {key: item for key, item in fields.items() if item is not OMITTED}
        if isinstance(inner, GraphQLEnumType):
            return next(iter(inner.values))
        return VALUES[inner.name][3 % len(VALUES[inner.name])]


@dataclass
class Operation:
    """A document and its variables."""

    kind: str
    definitions: list[str] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)
    selection: str = ""

    @property
    def document(self) -> str:
        definitions = f"({', '.join(self.definitions)})" if self.definitions else ""
        return f"{self.kind}{definitions} {{ {self.selection} }}"


@st.composite
def operations(draw: st.DrawFn, paths: list[Path], kind: str) -> Operation:
    """An operation with any values, as literals or variables, for some of the arguments of one field."""
    path = draw(st.sampled_from(paths))
    operation, target = Operation(kind), path[-1]
    wild = draw(st.sets(st.sampled_from(list(target.arguments)), min_size=1, max_size=2))
    values = Values(target.name)
    arguments = _required_samples(target, wild)
    for name in sorted(wild):
        argument = target.arguments[name]
        type_ = argument.type
        value = draw(values.any_value(type_, name))
        if draw(st.booleans()):
            arguments.append(f"{name}: {literal(value, type_)}")
            continue
        # A nullable variable is allowed for a non-null argument that has a default.
        if isinstance(type_, GraphQLNonNull) and argument.default is not None and draw(st.booleans()):
            type_ = type_.of_type
        operation.definitions.append(f"${name}: {type_}")
        operation.variables[name] = value
        arguments.append(f"{name}: ${name}")
    definition = target.parent.fields[target.name]
    operation.selection = _call(target.name, arguments, _select(definition.type, 1))
    for step in reversed(path[:-1]):
        below = f" {{ __typename {operation.selection} }}"
        operation.selection = _call(step.name, _required_samples(step, set()), below)
    return operation


def _required_samples(step: Step, without: set[str]) -> list[str]:
    values = Values(step.name)
    return [
        f"{name}: {literal(values.sample(argument.type, name), argument.type)}"
        for name, argument in step.arguments.items()
        if name not in without and isinstance(argument.type, GraphQLNonNull) and argument.default is None
    ]


def _call(name: str, arguments: list[str], selection: str) -> str:
    return f"{name}({', '.join(arguments)}){selection}" if arguments else f"{name}{selection}"


def _select(type_: GraphQLOutputType, depth: int) -> str:
    """A selection of everything that needs no arguments, to some depth."""
    named = get_named_type(type_)
    if not isinstance(named, GraphQLObjectType | GraphQLInterfaceType):
        return ""
    fields = ["__typename"]
    for name, definition in named.fields.items():
        if not definition.args and (depth or not hasattr(get_named_type(definition.type), "fields")):
            fields.append(f"{name}{_select(definition.type, depth - 1)}")
    return f" {{ {' '.join(fields)} }}"


def literal(value: Any, type_: GraphQLInputType) -> str:
    """A value as a document writes it; values of a wrong kind are written as what they are."""
    named = get_named_type(type_)
    if isinstance(named, GraphQLEnumType) and isinstance(value, str) and value.isidentifier():
        return value
    if isinstance(value, dict):
        fields = named.fields if isinstance(named, GraphQLInputObjectType) else {}
        members = (
            f"{key}: {literal(item, fields[key].type if key in fields else type_)}"
            for key, item in value.items()
            if key.isidentifier()
        )
        return f"{{{', '.join(members)}}}"
    if isinstance(value, list):
        return f"[{', '.join(literal(item, type_) for item in value)}]"
    return json.dumps(value)
