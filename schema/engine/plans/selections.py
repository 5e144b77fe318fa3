"""The compiled selections of a query, and how they are run.

A `Selection` is a selection set on one object type. An `ObjectSelection` is one on a type or an interface,
whose objects may differ in type. A `SelectedField` is one field whose value takes more than reading a column.
"""

import asyncio
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from graphql import GraphQLField, GraphQLObjectType
from graphql.execution.collect_fields import FieldDetailsList
from strawberry import Schema
from strawberry.types.field import StrawberryField

from schema.engine.plans.columns import (
    Column,
    find_object_reader,
    read_in_slices,
    read_objects,
)
from schema.engine.plans.completion import (
    FallBack,
    complete_leaves,
    contains_exception,
    contains_none,
    list_examples,
    make_leaf_completer,
    raise_unexpected,
    split_nullable,
)
from schema.engine.plans.resolution import FieldResolver
from schema.engine.plans.run import OBJECTS_PER_SLICE, PlanRun
from stores.contracts.lazy_lists import LazyList
from stores.contracts.records import LISTS, join_lists

LONG = 1_000  # objects: what is done to each of them takes a millisecond or more
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
        results: list[dict[str, Any]] = []
        for start in range(0, len(objects), OBJECTS_PER_SLICE):
            if start and run.is_due:
                await run.pause()
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
        self._declared: StrawberryField = definition.extensions["strawberry-definition"]
        self._read = find_object_reader(self._declared)
        self._resolver = FieldResolver(schema, parent, definition, self._nodes)
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
        if len(objects) > LONG and run.is_due:
            await run.pause()
        if not self._nullable and contains_none(values):
            raise FallBack
        if self._complete is not None:
            completed_leaves = await complete_leaves(self._complete, values, run.pause)
            for result, leaf in zip(results, completed_leaves, strict=True):
                result[key] = leaf
            return
        assert self._objects is not None
        if self._items_nullable is None:
            completed = await self._complete_objects(self._objects, values, run)
            for result, value in zip(results, completed, strict=True):
                result[key] = value
        else:
            await self._fill_lists(self._objects, values, results, self._items_nullable, run)

    async def _complete_objects(
        self, selection: ObjectSelection, values: Sequence[Any], run: PlanRun
    ) -> list[dict[str, Any] | None]:
        """The response objects of values; one that several objects share, such as their application, once."""
        if isinstance(values, LazyList):  # which makes its objects anew
            return await selection.complete(values, True, run)
        ids = list(map(id, values))
        distinct = dict(zip(ids, values, strict=True))
        run.executor.context_value.meter.count_objects(len(ids) - len(distinct))
        completed = await selection.complete([*distinct.values()], True, run)
        by_id = dict(zip(distinct, completed, strict=True))
        return [by_id[id_] for id_ in ids]

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
        if len(flat) > LONG and run.is_due:
            await run.pause()
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
            return await read_in_slices(self._read, objects, run)
        values = await self._resolver.resolve(objects, run)
        if contains_exception(values):
            raise_unexpected(values)
            if not self._nullable:
                raise FallBack
            values = run.add_failures(results, self._key, self._nodes, values)
        return run.take_hints(results, self._key, values)
