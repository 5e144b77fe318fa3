"""graphql-core's executor with the meter of the request, which counts the objects of the answer."""

from typing import Any

from graphql.pyutils import AwaitableOrValue

from schema.engine.sliced_execution import SlicedExecutionContext


class MeteredExecutionContext(SlicedExecutionContext):
    """Counts each object before its fields are resolved. Plans count theirs themselves."""

    def complete_object_value(self, *arguments: Any) -> AwaitableOrValue[dict[str, Any]]:
        self.context_value.meter.count_objects(1)
        return super().complete_object_value(*arguments)
