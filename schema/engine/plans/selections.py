"""The compiled selections of a query, and how they are run.

A `Selection` is a selection set on one object type. An `ObjectSelection` is one on a type or an interface,
whose objects may differ in type. A `SelectedField` is one field whose value takes more than reading a column.
"""

import asyncio
from collections.abc import Callable, Sequence
from inspect import isawaitable, iscoroutinefunction
from itertools import islice
from time import perf_counter
from typing import Any

from graphql import GraphQLField, GraphQLObjectType, GraphQLResolveInfo
from graphql.execution.collect_fields import FieldDetailsList
from graphql.execution.executor import Executor
from graphql.execution.values import get_argument_values
from strawberry import Schema
from strawberry.schema.schema_converter import get_arguments
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from schema.engine.fields import BatchResolver
from schema.engine.plans.columns import (
    READING_SLICE_S,
    Column,
    find_object_reader,
    read_in_slices,
    read_objects,
)
from schema.engine.plans.completion import (
    EXPECTED,
    FallBack,
    complete_leaves,
    contains_exception,
    contains_none,
    list_examples,
    make_leaf_completer,
    raise_unexpected,
    split_nullable,
)
from schema.engine.plans.run import PlanRun
from stores.contracts.records import LISTS, join_lists

OBJECTS_PER_SLICE = 100  # response objects that are built between two looks at the clock
AWAITED_PER_SLICE = 250  # resolvers that run concurrently

BuildObjects = Callable[..., list[dict[str, Any]]]


class Selection:
    """The selected fields of one object type. `build` makes the response objects from the columns' values."""

    def __init__(
        self,
        type_: GraphQLObjectType,
        columns: Sequence[Column],
        fields: "Sequence[SelectedField]",
        build: BuildObjects,
    ) -> None:
        self._is_type_of = type_.is_type_of
        self._columns = columns
        self._fields = fields
        self._build = build

    async def complete(self, objects: Sequence[Any], run: PlanRun) -> list[dict[str, Any]]:
        """The response objects of objects, in their order."""
        results, resumed = list[dict[str, Any]](), perf_counter()
        for start in range(0, len(objects), OBJECTS_PER_SLICE):
            if perf_counter() - resumed > READING_SLICE_S:
                await run.executor.context_value.turn.pause()
                resumed = perf_counter()
            results += self._complete_columns(objects[start : start + OBJECTS_PER_SLICE])
        if objects and len(self._fields) == 1:
            await self._fields[0].fill(objects, results, run)
        elif objects and self._fields:
            fills = (field.fill(objects, results, run) for field in self._fields)
            for failure in await asyncio.gather(*fills, return_exceptions=True):
                if failure is not None:
                    raise failure
        return results

    def _complete_columns(self, objects: Sequence[Any]) -> list[dict[str, Any]]:
        examples = list_examples(objects)
        # Types of this schema do not read the information of the field, which is None.
        if self._is_type_of and not all(self._is_type_of(example, None) for example in examples.values()):  # type: ignore[arg-type]
            raise FallBack
        class_ = next(iter(examples)) if len(examples) == 1 else object
        return self._build(objects, *(column.values(objects, class_) for column in self._columns))


class ObjectSelection:
    """The selections below a field, by the names of the types that its objects may have."""

    def __init__(self, selections: dict[str, Selection], *, is_abstract: bool) -> None:
        self._by_type = selections
        self._only = None if is_abstract else next(iter(selections.values()))

    async def complete(
        self, objects: Sequence[Any], nullable: bool, run: PlanRun
    ) -> list[dict[str, Any] | None]:
        """The response objects of objects, in their order. Where `nullable`, None stays None."""
        if contains_none(objects):
            if not nullable:
                raise FallBack
            present = [object_ for object_ in objects if object_ is not None]
            completed = iter(await self.complete(present, False, run))
            return [None if object_ is None else next(completed) for object_ in objects]
        run.executor.context_value.meter.count_objects(len(objects))
        if self._only is not None:
            return list(await self._only.complete(objects, run))
        results: list[dict[str, Any] | None] = [None] * len(objects)
        indexes_by_type: dict[str, list[int]] = {}
        for index, object_ in enumerate(objects):
            indexes_by_type.setdefault(getattr(object_, "node_kind", ""), []).append(index)
        for name, indexes in indexes_by_type.items():
            if name not in self._by_type:
                raise FallBack
            of_type = await self._by_type[name].complete([objects[index] for index in indexes], run)
            for index, result in zip(indexes, of_type, strict=True):
                results[index] = result
        return results


class SelectedField:
    """A selected field that has to be called or awaited, or that holds objects."""

    def __init__(
        self,
        schema: Schema,
        parent: GraphQLObjectType,
        definition: GraphQLField,
        key: str,
        details: FieldDetailsList,
    ) -> None:
        self._key = key
        self._nodes = [detail.node for detail in details]
        self._schema = schema
        self._parent = parent
        self._definition = definition
        self._declared: StrawberryField = definition.extensions["strawberry-definition"]
        self._read = find_object_reader(self._declared)
        self._resolve_batch: BatchResolver | None = self._declared.metadata.get("resolve_batch")
        self._nullable, _ = split_nullable(definition.type)
        self._complete = make_leaf_completer(definition.type)
        self._objects: ObjectSelection | None = None
        self._items_nullable: bool | None = None

    @property
    def holds_objects(self) -> bool:
        """Whether the field's values are objects or lists of them."""
        return self._complete is None

    def select(self, objects: ObjectSelection, *, items_nullable: bool | None) -> None:
        """Set what is selected of the field's objects. `items_nullable` is None if the field is no list."""
        self._objects = objects
        self._items_nullable = items_nullable

    async def fill(self, objects: Sequence[Any], results: list[dict[str, Any]], run: PlanRun) -> None:
        """Put the field's completed values of `objects` into their response objects."""
        key = self._key
        values = await self._read_values(objects, results, run)
        if not self._nullable and contains_none(values):
            raise FallBack
        if self._complete is not None:
            completed_leaves = await complete_leaves(
                self._complete, values, run.executor.context_value.turn.pause
            )
            for result, leaf in zip(results, completed_leaves, strict=True):
                result[key] = leaf
            return
        assert self._objects is not None
        if self._items_nullable is None:
            completed = await self._objects.complete(values, True, run)
            for result, value in zip(results, completed, strict=True):
                result[key] = value
        else:
            await self._fill_lists(self._objects, values, results, self._items_nullable, run)

    async def _fill_lists(
        self,
        selection: ObjectSelection,
        lists: Sequence[Any],
        results: list[dict[str, Any]],
        nullable: bool,
        run: PlanRun,
    ) -> None:
        """Complete the objects of all lists as one list; a list that several objects share, once."""
        ids = list(map(id, lists))
        distinct = dict(zip(ids, lists, strict=True))
        distinct.pop(id(None), None)
        if not LISTS.issuperset(map(type, distinct.values())):
            raise FallBack
        flat = join_lists(distinct.values())
        if contains_exception(flat):  # items that failed have errors of their own
            raise FallBack
        completed = iter(await selection.complete(flat, nullable, run))
        completed_lists: dict[int, list[Any] | None] = {id(None): None}
        for id_, list_ in distinct.items():
            completed_lists[id_] = list(islice(completed, len(list_)))
        for result, id_ in zip(results, ids, strict=True):
            result[self._key] = completed_lists[id_]

    async def _read_values(
        self, objects: Sequence[Any], results: list[dict[str, Any]], run: PlanRun
    ) -> Sequence[Any]:
        if self._read is not None:
            if self._declared.is_basic_field:
                return read_objects(self._read, objects)
            return await read_in_slices(self._read, objects, run.executor.context_value.turn.pause)
        values = await self._resolve(objects, run)
        if contains_exception(values):
            raise_unexpected(values)
            if not self._nullable:
                raise FallBack
            values = run.add_failures(results, self._key, self._nodes, values)
        return run.take_hints(results, self._key, values)

    async def _resolve(self, objects: Sequence[Any], run: PlanRun) -> Sequence[Any]:
        """What the resolver returns for each object or, where it fails as expected, the exception."""
        executor = run.executor
        info = self._make_info(executor)
        try:
            arguments = get_argument_values(self._definition, self._nodes[0], executor.variable_values)
            if self._resolve_batch is not None:
                return await self._call_batch(self._resolve_batch, objects, info, arguments)
        except EXPECTED as error:
            return [error] * len(objects)
        return await self._resolve_each(objects, info, arguments)

    async def _call_batch(
        self,
        resolve_batch: BatchResolver,
        objects: Sequence[Any],
        info: GraphQLResolveInfo[Any],
        arguments: dict[str, Any],
    ) -> Sequence[Any]:
        """What a batch resolver returns for objects. One that calls no store is called slice by slice."""
        if iscoroutinefunction(resolve_batch) or len(objects) <= OBJECTS_PER_SLICE:
            answer = resolve_batch(**self._make_batch_arguments(objects, info, arguments))
            return await answer if isawaitable(answer) else answer
        results: list[Any] = []
        resumed = perf_counter()
        for start in range(0, len(objects), OBJECTS_PER_SLICE):
            if perf_counter() - resumed > READING_SLICE_S:
                await info.context.turn.pause()
                resumed = perf_counter()
            parents = objects[start : start + OBJECTS_PER_SLICE]
            values: Any = resolve_batch(**self._make_batch_arguments(parents, info, arguments))
            results += values
        return results

    async def _resolve_each(
        self, objects: Sequence[Any], info: GraphQLResolveInfo[Any], arguments: dict[str, Any]
    ) -> list[Any]:
        resolve: Any = self._definition.resolve
        values: list[Any] = []
        resumed = perf_counter()
        for object_ in objects:
            if values and perf_counter() - resumed > READING_SLICE_S and not isawaitable(values[-1]):
                await info.context.turn.pause()
                resumed = perf_counter()
            try:
                values.append(resolve(object_, info, **arguments))
            except EXPECTED as error:
                values.append(error)
        awaitable = [index for index, value in enumerate(values) if isawaitable(value)]
        if len(awaitable) == 1:
            try:
                values[awaitable[0]] = await values[awaitable[0]]
            except EXPECTED as error:
                values[awaitable[0]] = error
        # Loaders make one call of what a slice loads. More calls at once would hold up other requests.
        for start in range(0, len(awaitable) if len(awaitable) > 1 else 0, AWAITED_PER_SLICE):
            if start:
                await info.context.turn.pause()
            indexes = awaitable[start : start + AWAITED_PER_SLICE]
            awaited = await asyncio.gather(*(values[index] for index in indexes), return_exceptions=True)
            for index, value in zip(indexes, awaited, strict=True):
                values[index] = value
        return values

    def _make_info(self, executor: Executor[Any]) -> GraphQLResolveInfo[Any]:
        # A batch has no single path. No resolver of this schema reads it.
        return executor.build_resolve_info(self._definition, self._nodes, self._parent, None)  # type: ignore[arg-type]

    def _make_batch_arguments(
        self, objects: Sequence[Any], info: GraphQLResolveInfo[Any], arguments: dict[str, Any]
    ) -> dict[str, Any]:
        """The arguments of a batch resolver: as strawberry converts them, with the objects as the parents."""
        converter = self._schema.schema_converter
        _, converted = get_arguments(
            field=self._declared,
            source=objects,
            info=Info(_raw_info=info, _field=self._declared),
            kwargs=arguments,
            config=converter.config,
            scalar_registry=converter.scalar_registry,
        )
        return converted
