"""Plans: queries compiled, so that the objects of a whole list are answered together.

graphql-core resolves and completes every field of every object by itself. A plan does the same for all
objects that stand at one place of the query at once. A field that needs nothing but its object is a column,
the list of its values, and one generated expression makes the dicts of the answer from the columns; a
`batched` field is one call; any other resolver is called for each object, all of them side by side.

The answer is the specification's to the letter, because whatever is not plain (a null or an error where none
may be, a value of an unexpected type, introspection) raises `Unusual`, and graphql-core answers the whole
query instead. Queries have no side effects and loaders keep what they loaded, so that the second run asks the
stores for nothing that the first has found.

A plan holds no data of a request. It depends on the operation and on the variables of its `@skip` and
`@include`, and on nothing else.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from inspect import isawaitable
from itertools import chain, islice, repeat
from operator import attrgetter, is_
from types import NoneType
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

from schema.engine.fields import Many
from schema.engine.scalars import time_texts
from stores.contracts.records import Attribute

SLICE = 500  # objects that are made before other requests have their turn
Path: TypeAlias = tuple[str | int, ...]
Complete: TypeAlias = Callable[[Any], Any]


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
        self._is_type_of = type_.is_type_of
        self._columns: list[Column] = []
        self._fields: list[Field] = []
        entries = []
        for key, details in grouped.items():
            name = details[0].node.name.value
            value = "None"  # the place of a field that is filled in later
            if name == "__typename":
                value = repr(type_.name)
            elif name.startswith("__"):
                raise Unusual
            elif column := Column.of(type_.fields[name]):
                value = f"c{len(self._columns)}"
                self._columns.append(column)
            else:
                field_ = Field(compiler, type_, type_.fields[name], key, details, (*path, key))
                self._fields.append(field_)
            entries.append(f"{key!r}: {value}")
        names = [f"c{i}" for i in range(len(self._columns))]
        rows = f"zip({', '.join(['objects', *names])})"
        # Names of the query's aliases are all that is not ours in the text.
        text = f"lambda {', '.join(['objects', *names])}: "
        text += f"[{{{', '.join(entries)}}} for {', '.join(['_', *names])}, in {rows}]"
        self._dicts: Callable[..., list[dict[str, Any]]] = eval(text)

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

    def _make(self, objects: Sequence[Any]) -> list[dict[str, Any]]:
        # Whether an object is of a type depends on its class alone.
        kinds = dict(zip(map(type, objects), objects, strict=True))
        if self._is_type_of and not all(self._is_type_of(each, None) for each in kinds.values()):  # type: ignore[arg-type]
            raise Unusual
        kind = next(iter(kinds)) if len(kinds) == 1 else object
        return self._dicts(objects, *(column.values(objects, kind) for column in self._columns))


class Column:
    """A field that needs nothing but its object, read and completed for many of them."""

    def __init__(self, name: str | None, read: Callable[[Any], Any], type_: GraphQLOutputType) -> None:
        self._name = name  # of the attribute, where it is one
        self._read = read
        self._complete = completer(type_)
        nullable, inner = _unwrapped(type_)
        scalar = getattr(inner, "name", "")
        self._are_times = scalar == "DateTime"
        as_it_is = {"String": str, "ID": str, "Boolean": bool}.get(scalar)
        self._plain = {as_it_is, NoneType} if nullable else {as_it_is}

    @classmethod
    def of(cls, definition: GraphQLField) -> "Column | None":
        """None for a field that needs more than its object, or that holds objects."""
        declared = definition.extensions["strawberry-definition"]
        read = reader(declared)
        if read is None or completer(definition.type) is None:
            return None
        return cls(declared.python_name if declared.is_basic_field else None, read, definition.type)

    def values(self, objects: Sequence[Any], kind: type) -> Sequence[Any]:
        """What the answer shows of objects, which are all of one class if `kind` has any attributes."""
        attribute = getattr(kind, self._name, None) if self._name else None
        values = attribute.of(objects) if isinstance(attribute, Attribute) else list(map(self._read, objects))
        kinds = set(map(type, values))
        if kinds <= self._plain:
            return values
        if self._are_times and kinds == {datetime}:
            return time_texts(values)
        assert self._complete is not None
        return list(map(self._complete, values))


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
        self._many: Many | None = self._declared.metadata.get("many")
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
        if not self._nullable and _has_none(values):
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
        ids = list(map(id, lists))
        different = dict(zip(ids, lists, strict=True))
        different.pop(id(None), None)
        if not {list, tuple}.issuperset(map(type, different.values())):
            raise Unusual
        flat = list(chain.from_iterable(different.values()))
        completed = iter(await self._objects.complete(flat, nullable, run))
        answers: dict[int, list[Any] | None] = {id(None): None}
        for place, each in different.items():
            answers[place] = list(islice(completed, len(each)))
        for answer, place in zip(made, ids, strict=True):
            answer[self.key] = answers[place]

    async def _values(self, owners: Sequence[Any], made: list[dict[str, Any]], run: Run) -> Sequence[Any]:
        if self._read is not None:
            return list(map(self._read, owners))
        values = await self._resolved(owners, run)
        if any(map(isinstance, values, repeat(Exception))):
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
                found = self._many(**self._arguments(owners, info, arguments))
                return await found if isawaitable(found) else found
        except Exception as error:
            return [error] * len(owners)
        assert definition.resolve is not None
        answers: list[Any] = []
        for owner in owners:
            try:
                answers.append(definition.resolve(owner, info, **arguments))
            except Exception as error:
                answers.append(error)
        waiting = [place for place, value in enumerate(answers) if isawaitable(value)]
        if len(waiting) == 1:
            try:
                answers[waiting[0]] = await answers[waiting[0]]
            except Exception as error:
                answers[waiting[0]] = error
        elif waiting:
            awaited = await asyncio.gather(*(answers[place] for place in waiting), return_exceptions=True)
            for place, answer in zip(waiting, awaited, strict=True):
                answers[place] = answer
        return answers

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
        if _has_none(values):
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
    if "many" in declared.metadata:
        return None
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


def _unwrapped(type_: GraphQLOutputType) -> tuple[bool, Any]:
    """Whether a value may be null, and the type without that."""
    return (False, type_.of_type) if isinstance(type_, GraphQLNonNull) else (True, type_)


def _has_none(values: Sequence[Any]) -> bool:
    """`None in values` would ask each of them whether it equals None."""
    return any(map(is_, values, repeat(None)))
