"""Hints: what a request asks for that does not exist, and the names nearest to it.

A resolver returns `Hinted` in place of its value. Whoever executes the operation puts the value into the
answer, and the hint beside it under the path of the field.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from stores.contracts.samples import Where

MAX_HINTS = 20  # of one operation
Path: TypeAlias = Sequence[str | int]


class Absence(NamedTuple):
    """A field that a machine has never written, or tags that its series do not have.

    `where` are the tags by which series were selected, and `by` those by which they were grouped. With
    `classes`, it is about events of these classes, which neither the machine nor the `others` have written.
    """

    organization_id: str | None
    machine_id: str
    measurement: str
    field: str
    where: Where = ()
    by: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


class Hinted(NamedTuple):
    """The value of a field, and what the machines that it is about have never written."""

    value: Any
    absences: Sequence[Absence]


class Hint(NamedTuple):
    """The message to a client about the field at `path`; `closest` are existing names, the nearest first."""

    path: Path
    message: str
    closest: list[str]


# Returns in the context of a request for each absence its message and the closest names, or None if what it
# names exists.
Describe = Callable[[Any, Sequence[Absence]], Awaitable[list[tuple[str, list[str]] | None]]]


@dataclass(slots=True)
class Hints:
    """The hints of one operation: first the absences by path, and at its end what is said about them."""

    _describe: Describe | None = None  # None for an operation whose client gets no hints
    _absences: list[tuple[Path, Absence]] = field(default_factory=list)
    _hints: list[Hint] = field(default_factory=list)

    def add(self, path: Path, absences: Sequence[Absence]) -> None:
        """Note that the field at `path` has requested what does not exist."""
        self._absences += [(path, absence) for absence in absences]

    @property
    def has_absences(self) -> bool:
        """Whether anything was asked for in vain."""
        return bool(self._absences)

    def clear(self) -> None:
        """Forget all absences: the operation is executed anew."""
        self._absences.clear()

    async def describe(self, context: Any, find_position: Callable[[Path], Any]) -> None:
        """Describe the first absences in the order of the positions of their paths in the answer."""
        ordered = sorted(self._absences, key=lambda item: find_position(item[0]))[:MAX_HINTS]
        self._absences.clear()
        if ordered and self._describe is not None:
            paths, absences = zip(*ordered, strict=True)
            texts = await self._describe(context, absences)
            self._hints = [Hint(p, *text) for p, text in zip(paths, texts, strict=True) if text]

    def take(self) -> list[Hint]:
        """Return the hints, and forget them: the next operation of a batch has its own."""
        hints, self._hints = self._hints, []
        return hints
