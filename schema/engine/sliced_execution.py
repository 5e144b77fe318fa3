"""graphql-core's executor, which completes long lists in slices, so that other requests get their turns."""

from collections.abc import Iterable
from inspect import isawaitable
from itertools import chain
from typing import Any

from graphql import GraphQLOutputType, GraphQLResolveInfo
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import AwaitableOrValue, Path, gather_with_cancel
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from stores.contracts.lazy_lists import LazyList

ITEMS_PER_SLICE = 100


class _PathFrom(Path):
    """The path of a list, whose items are counted from `first`."""

    first: int

    def add_key(self, key: str | int, typename: str | None = None) -> Path:
        assert isinstance(key, int)
        return Path(self, self.first + key, typename)


class SlicedExecutionContext(StrawberryGraphQLCoreExecutionContext):
    """Completes long lists slice by slice."""

    def complete_iterable_value(
        self,
        item_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        items: Iterable[Any],
        position_context: Any,
    ) -> AwaitableOrValue[list[Any]]:
        complete = super().complete_iterable_value
        if not isinstance(items, list | tuple | LazyList) or len(items) <= ITEMS_PER_SLICE:
            return complete(item_type, field_details_list, info, path, items, position_context)

        async def complete_slices() -> list[Any]:
            parts: list[Any] = []
            try:
                for start in range(0, len(items), ITEMS_PER_SLICE):
                    await self.context_value.turn.pause()
                    slice_path = _PathFrom(*path)
                    slice_path.first = start
                    part = items[start : start + ITEMS_PER_SLICE]
                    parts.append(
                        complete(item_type, field_details_list, info, slice_path, part, position_context)
                    )
            except BaseException:
                self.settle_in_background([part for part in parts if isawaitable(part)])
                raise
            # Nothing of them has begun, so that loaders still make one call of what all slices load.
            waiting = [index for index, part in enumerate(parts) if isawaitable(part)]
            results = await gather_with_cancel(*(parts[index] for index in waiting))
            for index, result in zip(waiting, results, strict=True):
                parts[index] = result
            return list(chain.from_iterable(parts))

        return complete_slices()
