"""How a compiled field calls its resolver, for all objects of a level."""

import asyncio
from collections.abc import Sequence
from inspect import isawaitable, iscoroutinefunction
from typing import Any

from graphql import FieldNode, GraphQLField, GraphQLObjectType, GraphQLResolveInfo
from graphql.execution.executor import Executor
from graphql.execution.values import get_argument_values
from strawberry import Schema
from strawberry.schema.schema_converter import get_arguments
from strawberry.types import Info
from strawberry.types.field import StrawberryField

from schema.engine.fields import BatchResolver
from schema.engine.plans.completion import EXPECTED
from schema.engine.plans.run import OBJECTS_PER_SLICE, PlanRun

AWAITED_PER_SLICE = 250  # resolvers that run concurrently


class FieldResolver:
    """Resolves a selected field of `parent`, with the arguments that its `nodes` have."""

    def __init__(
        self, schema: Schema, parent: GraphQLObjectType, definition: GraphQLField, nodes: list[FieldNode]
    ) -> None:
        self._schema, self._parent, self._definition, self._nodes = schema, parent, definition, nodes
        self._declared: StrawberryField = definition.extensions["strawberry-definition"]
        self._resolve_batch: BatchResolver | None = self._declared.metadata.get("resolve_batch")

    async def resolve(self, objects: Sequence[Any], run: PlanRun) -> Sequence[Any]:
        """What the resolver returns for each object or, where it fails as expected, the exception."""
        executor = run.executor
        info = self._make_info(executor)
        try:
            arguments = get_argument_values(self._definition, self._nodes[0], executor.variable_values)
            if self._resolve_batch is not None:
                return await self._call_batch(self._resolve_batch, objects, info, arguments, run)
        except EXPECTED as error:
            return [error] * len(objects)
        return await self._resolve_each(objects, info, arguments, run)

    async def _call_batch(
        self,
        resolve_batch: BatchResolver,
        objects: Sequence[Any],
        info: GraphQLResolveInfo[Any],
        arguments: dict[str, Any],
        run: PlanRun,
    ) -> Sequence[Any]:
        """What a batch resolver returns for objects. One that calls no store is called slice by slice."""
        if iscoroutinefunction(resolve_batch) or len(objects) <= OBJECTS_PER_SLICE:
            answer = resolve_batch(**self._make_batch_arguments(objects, info, arguments))
            return await answer if isawaitable(answer) else answer
        results: list[Any] = []
        for start in range(0, len(objects), OBJECTS_PER_SLICE):
            if start and run.is_due:
                await run.pause()
            parents = objects[start : start + OBJECTS_PER_SLICE]
            values: Any = resolve_batch(**self._make_batch_arguments(parents, info, arguments))
            results += values
        return results

    async def _resolve_each(
        self,
        objects: Sequence[Any],
        info: GraphQLResolveInfo[Any],
        arguments: dict[str, Any],
        run: PlanRun,
    ) -> list[Any]:
        resolve: Any = self._definition.resolve
        values: list[Any] = []
        for object_ in objects:
            if values and run.is_due and not isawaitable(values[-1]):
                await run.pause()
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
                await run.pause()
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
