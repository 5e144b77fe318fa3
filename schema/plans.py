"""Plans: queries compiled, so that the objects of a whole list are answered together.

graphql-core resolves and completes every field of every object by itself. A plan does the same for all
objects that stand at one place of the query at once: fields that only read an attribute become one generated
loop that makes the dicts of the answer; a `batched` field is one call; any other resolver is called for each
object, all of them side by side. The answer is the specification's to the letter, because whatever is not
plain (a null or an error where none may be, a value of an unexpected type, introspection) raises `Unusual`,
and graphql-core answers the whole query instead. Queries have no side effects and loaders keep what they
loaded, so that the second run asks the stores for nothing that the first has found.

A plan holds no data of a request. It depends on the operation and on the variables of its `@skip` and
`@include`, and on nothing else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from inspect import isawaitable
from operator import attrgetter
from typing import Any, TypeAlias

from graphql import (
    GraphQLError,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    Undefined,
    is_abstract_type,
    is_leaf_type,
    located_error,
)
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet, collect_fields
from graphql.execution.executor import Executor
from graphql.execution.values import get_argument_values
from strawberry import Schema
from strawberry.schema.schema_converter import get_arguments
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from sync_gateway.stores import records
from sync_gateway.stores.records import Record, Stored

SLICE = 500  # objects that are made before other requests have their turn
Path: TypeAlias = tuple[str | int, ...]
Complete: TypeAlias = Callable[[Any], Any]


# Of the readers of stored values: the type that most values have, and what is shown of one. Of a reader that
# stands here every field has the one scalar that goes with it.
PLAIN = {
    records.text: ("str", "{0}"),
    records.time: ("datetime", "{0}.isoformat(timespec='milliseconds') + 'Z'"),
}


class Unusual(Exception):
    """Not for a plan: graphql-core answers."""


@dataclass(slots=True)
class Run:
    """One execution of a plan: graphql-core's executor of the request, and the fields that failed."""

    executor: Executor[Any]
    failed: list[tuple[dict[str, Any], "Field", Exception]] = field(default_factory=list)

    def errors(self, data: dict[str, Any]) -> list[GraphQLError]:
        """The errors of failed fields. Their objects are looked for in the answer: only here paths matter."""
        if not self.failed:
            return []
        failures: dict[int, list[tuple[Field, Exception]]] = {}
        for owner, failing, error in self.failed:
            failures.setdefault(id(owner), []).append((failing, error))
        return [
            located_error(error, failing.nodes, [*path, failing.key])
            for path, owner in _objects(data, ())
            for failing, error in failures.get(id(owner), ())
        ]


def _objects(value: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    if isinstance(value, dict):
        yield path, value
        for key, each in value.items():
            yield from _objects(each, (*path, key))
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from _objects(each, (*path, place))


class Plan:
    """One query, compiled. Raises `Unusual` for what has to be left to graphql-core."""

    def __init__(self, schema: Schema, executor: Executor[Any]) -> None:
        """`executor` is that of any request of the same operation and the same conditions."""
        root = executor.schema.query_type
        assert root is not None
        self.lists: list[str] = []
        compiler = Compiler(schema, executor, self.lists)
        found = collect_fields(
            executor.schema, executor.fragments, executor.variable_values, root, executor.operation
        )
        self._root = Selection(compiler, root, found.grouped_field_set, ())

    async def run(self, executor: Executor[Any]) -> tuple[dict[str, Any], list[GraphQLError]]:
        """The data and the errors. Raises `Unusual`."""
        run = Run(executor)
        try:
            [data] = await self._root.complete([executor.root_value], run)
        except Exception as unusual:
            raise Unusual from unusual
        return data, run.errors(data)


@dataclass(frozen=True, slots=True)
class Compiler:
    """What the parts of a plan are made with; `lists` collects the lists that are compiled."""

    schema: Schema
    executor: Executor[Any]
    lists: list[str]

    def selection(self, type_: GraphQLObjectType, details: FieldDetailsList, path: Path) -> "Selection":
        found = self.executor.collect_subfields(type_, details)
        return Selection(self, type_, found.grouped_field_set, path)


class Selection:
    """The selected fields of one object type."""

    def __init__(
        self, compiler: Compiler, type_: GraphQLObjectType, grouped: GroupedFieldSet, path: Path
    ) -> None:
        self._fields: list[Field] = []
        source = Source(type_)
        for key, details in grouped.items():
            name = details[0].node.name.value
            if name == "__typename":
                source.put(key, repr(type_.name))
            elif name.startswith("__"):
                raise Unusual
            else:
                definition = type_.fields[name]
                plain = source.plain(definition)
                source.put(key, plain or "None")  # the place of a field that is filled in later
                if plain is None:
                    self._fields.append(Field(compiler, type_, definition, key, details, (*path, key)))
        self._make = source.function()

    async def complete(self, objects: Sequence[Any], run: Run) -> list[dict[str, Any]]:
        """The answers of objects, in their order."""
        made: list[dict[str, Any]] = []
        for start in range(0, len(objects), SLICE):
            if start:
                await asyncio.sleep(0)
            made += self._make(objects[start : start + SLICE])
        if objects and len(self._fields) == 1:
            await self._fields[0].fill(objects, made, run)
        elif objects:
            filled = (each.fill(objects, made, run) for each in self._fields)
            for failure in await asyncio.gather(*filled, return_exceptions=True):
                if failure is not None:
                    raise failure
        return made


class Source:
    """The text of the loop that makes the dicts of a selection, and the names that it uses."""

    def __init__(self, type_: GraphQLObjectType) -> None:
        self._entries: list[str] = []
        self._lines: list[str] = []
        self._names: dict[str, Any] = {"Unusual": Unusual, "datetime": datetime}
        # Records of a type share its name: their fields are read out of the document without a detour.
        self._record = _records().get(type_.name)
        if self._record is not None:
            check = f"type(o) is not {self._name(self._record)}"
            self._lines += [f"if {check}: raise Unusual", "get = o.document.get"]
        elif type_.is_type_of is not None:
            self._lines.append(f"if not {self._name(type_.is_type_of)}(o, None): raise Unusual")

    def put(self, key: str, value: str) -> None:
        self._entries.append(f"{key!r}: {value}")

    def plain(self, definition: GraphQLField) -> str | None:
        """The name of the value of a field that needs nothing but its object; None for another field."""
        complete = completer(definition.type)
        declared = definition.extensions["strawberry-definition"]
        read = reader(declared)
        if complete is None or read is None:
            return None
        value = f"v{len(self._lines)}"
        stored = getattr(self._record, declared.python_name, None) if declared.is_basic_field else None
        exact = _exact(definition.type)
        if isinstance(stored, Stored) and stored.read in PLAIN:
            kept, shown = PLAIN[stored.read]
            slow = f"{self._name(complete)}({self._name(read)}(o))"
            self._lines.append(f"{value} = get({stored.keys[0]!r})")
            self._lines.append(f"{value} = {shown.format(value)} if type({value}) is {kept} else {slow}")
            return value
        access = f"o.{declared.python_name}" if declared.is_basic_field else f"{self._name(read)}(o)"
        self._lines.append(f"{value} = {access}")
        check = f"if type({value}) is not {exact.__name__}: " if exact else ""
        self._lines.append(f"{check}{value} = {self._name(complete)}({value})")
        return value

    def function(self) -> Callable[[Sequence[Any]], list[dict[str, Any]]]:
        body = [*self._lines, f"add({{{', '.join(self._entries)}}})"]
        head = ["def make(objects):", "    out = []", "    add = out.append", "    for o in objects:"]
        text = "\n".join([*head, *(f"        {line}" for line in body), "    return out"])
        # Names of the schema and of the query's aliases are all that the text is made of.
        exec(compile(text, "<plan>", "exec"), self._names)
        made: Callable[[Sequence[Any]], list[dict[str, Any]]] = self._names["make"]
        return made

    def _name(self, value: Any) -> str:
        name = f"n{len(self._names)}"
        self._names[name] = value
        return name


class Field:
    """A selected field that has to be called or awaited, or that holds objects."""

    def __init__(
        self,
        compiler: Compiler,
        parent: GraphQLObjectType,
        definition: GraphQLField,
        key: str,
        details: FieldDetailsList,
        path: Path,
    ) -> None:
        self.key = key
        self.nodes = [each.node for each in details]
        self._definition = definition
        self._declared: StrawberryField = definition.extensions["strawberry-definition"]
        self._parent = parent
        self._details = details[0]
        self._schema = compiler.schema
        self._read = reader(self._declared)
        self._many: Callable[..., Awaitable[Sequence[Any]]] | None = self._declared.metadata.get("many")
        self._nullable, type_ = _unwrapped(definition.type)
        self._complete = completer(definition.type)
        self._items: tuple[bool, Any] | None = None
        if self._complete is None:
            if isinstance(type_, GraphQLList):
                compiler.lists.append(".".join(map(str, path)))
                self._items = _unwrapped(type_.of_type)
            self._objects = Objects(compiler, (self._items or (True, type_))[1], details, path)

    async def fill(self, owners: Sequence[Any], made: list[dict[str, Any]], run: Run) -> None:
        """Put the field's values, completed, into the answers of the objects that it belongs to."""
        key = self.key
        values = await self._values(owners, made, run)
        if not self._nullable and any(value is None for value in values):
            raise Unusual
        if self._complete is not None:
            for answer, value in zip(made, values, strict=True):
                answer[key] = self._complete(value)
        elif self._items is None:
            completed = await self._objects.complete(values, True, run)
            for answer, each in zip(made, completed, strict=True):
                answer[key] = each
        else:
            await self._fill_lists(values, made, self._items[0], run)

    async def _fill_lists(
        self, lists: Sequence[Any], made: list[dict[str, Any]], nullable: bool, run: Run
    ) -> None:
        """Complete the objects of all lists as one list; a list that belongs to many, once."""
        different = {id(each): each for each in lists if each is not None}
        flat: list[Any] = []
        for each in different.values():
            if type(each) not in (list, tuple):
                raise Unusual
            flat += each
        completed = await self._objects.complete(flat, nullable, run)
        at = 0
        answers: dict[int, list[Any]] = {}
        for place, each in different.items():
            answers[place] = completed[at : at + len(each)]
            at += len(each)
        for answer, each in zip(made, lists, strict=True):
            if each is not None:
                answer[self.key] = answers[id(each)]

    async def _values(self, owners: Sequence[Any], made: list[dict[str, Any]], run: Run) -> Sequence[Any]:
        if self._read is not None:
            return list(map(self._read, owners))
        values = await self._resolved(owners, run)
        if any(isinstance(value, Exception) for value in values):
            if not self._nullable:
                raise Unusual
            failed = [(a, v) for a, v in zip(made, values, strict=True) if isinstance(v, Exception)]
            run.failed += [(answer, self, error) for answer, error in failed]
            values = [None if isinstance(value, Exception) else value for value in values]
        return values

    async def _resolved(self, owners: Sequence[Any], run: Run) -> Sequence[Any]:
        """What the resolver answers for each object; where it fails, the exception."""
        executor, definition = run.executor, self._definition
        info = self._info(executor)
        try:
            arguments = get_argument_values(definition, self._details.node, executor.variable_values)
            if self._many is not None:
                return await self._many(**self._arguments(owners, info, arguments))
        except Exception as error:
            return [error] * len(owners)
        assert definition.resolve is not None
        found: list[Any] = []
        for owner in owners:
            try:
                found.append(definition.resolve(owner, info, **arguments))
            except Exception as error:
                found.append(error)
        waiting = [place for place, value in enumerate(found) if isawaitable(value)]
        if len(waiting) == 1:
            try:
                found[waiting[0]] = await found[waiting[0]]
            except Exception as error:
                found[waiting[0]] = error
        elif waiting:
            answers = await asyncio.gather(*(found[place] for place in waiting), return_exceptions=True)
            for place, answer in zip(waiting, answers, strict=True):
                found[place] = answer
        return found

    def _info(self, executor: Executor[Any]) -> GraphQLResolveInfo[Any]:
        # The path is that of no single object: no resolver of this schema asks for it.
        return executor.build_resolve_info(self._definition, self.nodes, self._parent, None)  # type: ignore[arg-type]

    def _arguments(
        self, owners: Sequence[Any], info: GraphQLResolveInfo[Any], given: dict[str, Any]
    ) -> dict[str, Any]:
        converter = self._schema.schema_converter
        _, arguments = get_arguments(
            field=self._declared,
            source=owners,
            info=Info(_raw_info=info, _field=self._declared),
            kwargs=given,
            config=converter.config,
            scalar_registry=converter.scalar_registry,
        )
        return arguments


class Objects:
    """The objects below a field: of one type or, below an interface, each of its own."""

    def __init__(
        self, compiler: Compiler, type_: GraphQLOutputType, details: FieldDetailsList, path: Path
    ) -> None:
        if isinstance(type_, GraphQLObjectType):
            types = [type_]
        elif is_abstract_type(type_):
            types = list(compiler.executor.schema.get_possible_types(type_))
        else:
            raise Unusual  # lists of lists
        self._by_name = {each.name: compiler.selection(each, details, path) for each in types}
        self._one = next(iter(self._by_name.values())) if isinstance(type_, GraphQLObjectType) else None

    async def complete(self, values: Sequence[Any], nullable: bool, run: Run) -> list[dict[str, Any] | None]:
        """The answers of objects, in their order."""
        if None in values:
            if not nullable:
                raise Unusual
            present = iter(await self.complete([each for each in values if each is not None], False, run))
            return [None if each is None else next(present) for each in values]
        if self._one is not None:
            return list(await self._one.complete(values, run))
        answers: list[dict[str, Any] | None] = [None] * len(values)
        groups: dict[str, list[int]] = {}
        for place, value in enumerate(values):
            groups.setdefault(type(value).__name__, []).append(place)
        for name, places in groups.items():
            if name not in self._by_name:
                raise Unusual
            made = await self._by_name[name].complete([values[place] for place in places], run)
            for place, answer in zip(places, made, strict=True):
                answers[place] = answer
        return answers


def reader(declared: StrawberryField) -> Callable[[Any], Any] | None:
    """How a field is read that needs nothing but its object: an attribute, or a function of the object."""
    if declared.is_basic_field:
        return attrgetter(declared.python_name)
    resolver = declared.base_resolver
    if declared.is_async or resolver is None or declared.extensions:
        return None
    alone = resolver.parent_parameter is not None and len(resolver.signature.parameters) == 1
    return resolver.wrapped_func if alone else None  # type: ignore[return-value]  # no class method


def completer(type_: GraphQLOutputType) -> Complete | None:
    """How a leaf or a list of leaves is completed; None for objects. The function raises `Unusual`."""
    nullable, inner = _unwrapped(type_)
    if isinstance(inner, GraphQLList):
        item = completer(inner.of_type)
        if item is None:
            return None

        def complete_list(values: Any) -> Any:
            if type(values) not in (list, tuple):
                raise Unusual
            return [item(value) for value in values]

        complete: Complete = complete_list
    elif is_leaf_type(inner):
        coerce = inner.coerce_output_value

        def complete_leaf(value: Any) -> Any:
            coerced = coerce(value)
            if coerced is None or coerced is Undefined or isinstance(value, Exception):
                raise Unusual
            return coerced

        complete = complete_leaf
    else:
        return None

    def complete_value(value: Any) -> Any:
        if value is None:
            if nullable:
                return None
            raise Unusual
        return complete(value)

    return complete_value


def _exact(type_: GraphQLOutputType) -> type | None:
    """The type of values that stand in an answer as they are."""
    _, inner = _unwrapped(type_)
    return {"String": str, "ID": str, "Boolean": bool}.get(getattr(inner, "name", ""))


def _unwrapped(type_: GraphQLOutputType) -> tuple[bool, Any]:
    """Whether a value may be null, and the type without that."""
    return (False, type_.of_type) if isinstance(type_, GraphQLNonNull) else (True, type_)


def _records(base: type[Record] = Record) -> dict[str, type[Record]]:
    found: dict[str, type[Record]] = {}
    for each in base.__subclasses__():
        found |= {each.__name__: each, **_records(each)}
    return found
