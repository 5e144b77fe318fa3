"""One execution of a plan, and the errors of the fields that failed in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias

from graphql import FieldNode, GraphQLError, located_error
from graphql.execution.executor import Executor

from resolvers.hints import Absence, Hinted, Hints

SLICE_S = 0.002  # of work between two pauses
OBJECTS_PER_SLICE = 100  # that are read or built between two looks at the clock
Path: TypeAlias = tuple[str | int, ...]


class FieldFailure(NamedTuple):
    """A field of one response object whose resolver failed; its value is null."""

    owner: dict[str, Any]  # the response object that has the field
    key: str
    nodes: list[FieldNode]
    error: Exception


@dataclass(slots=True)
class PlanRun:
    """One execution of a plan: graphql-core's executor of the request, and the fields that failed."""

    executor: Executor[Any]
    failures: list[FieldFailure] = field(default_factory=list)
    # Of response objects, a key whose value has hints
    hinted: list[tuple[dict[str, Any], str, Sequence[Absence]]] = field(default_factory=list)
    _resumed: float = field(default_factory=perf_counter)

    @property
    def is_due(self) -> bool:
        """Whether the run has worked so long since its last pause that others should get a turn."""
        return perf_counter() - self._resumed > SLICE_S

    async def pause(self) -> None:
        """Let other requests work."""
        await self.executor.context_value.turn.pause()
        self._resumed = perf_counter()

    def add_failures(
        self, owners: Sequence[dict[str, Any]], key: str, nodes: list[FieldNode], values: Sequence[Any]
    ) -> list[Any]:
        """Record a failure for each value that is an exception. Return the values with nulls in their places.

        `owners` are the response objects.
        """
        for owner, value in zip(owners, values, strict=True):
            if isinstance(value, Exception):
                self.failures.append(FieldFailure(owner, key, nodes, value))
        return [None if isinstance(value, Exception) else value for value in values]

    def take_hints(self, owners: Sequence[dict[str, Any]], key: str, values: Sequence[Any]) -> Sequence[Any]:
        """Record the hints that values have. Return the values; `owners` are the response objects."""
        if Hinted not in set(map(type, values)):
            return values
        self.hinted += [
            (owner, key, value.absences)
            for owner, value in zip(owners, values, strict=True)
            if isinstance(value, Hinted) and value.absences
        ]
        return [value.value if isinstance(value, Hinted) else value for value in values]

    def note_hints(self, data: dict[str, Any], hints: Hints) -> None:
        """Add the hints to those of the operation, located in the response as errors are."""
        if not self.hinted:
            return
        by_owner: dict[int, list[tuple[str, Sequence[Absence]]]] = {}
        for owner, key, absences in self.hinted:
            by_owner.setdefault(id(owner), []).append((key, absences))
        for path, owner in _walk_objects(data, ()):
            for key, absences in by_owner.get(id(owner), ()):
                hints.add([*path, key], absences)

    def errors(self, data: dict[str, Any]) -> list[GraphQLError]:
        """The errors of the failed fields, located in the response.

        A plan knows no paths of single objects. Only failed fields need one, so the objects that have failed
        fields are searched for in the response.
        """
        if not self.failures:
            return []
        failures: dict[int, list[FieldFailure]] = {}
        for failure in self.failures:
            failures.setdefault(id(failure.owner), []).append(failure)
        return [
            located_error(failure.error, failure.nodes, [*path, failure.key])
            for path, owner in _walk_objects(data, ())
            for failure in failures.get(id(owner), ())
        ]


def _walk_objects(value: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the response objects in a value. Long lists of leaves are not looked through."""
    if isinstance(value, dict):
        yield path, value
        for key, member in value.items():
            yield from _walk_objects(member, (*path, key))
    elif isinstance(value, list) and isinstance(next(filter(None, value), None), dict):
        for index, item in enumerate(value):
            yield from _walk_objects(item, (*path, index))
