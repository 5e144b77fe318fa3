"""The series of a machine by their tags: each tag set is a series of its own; groups combine some of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from stores.contracts.errors import BadUserInput
from stores.contracts.samples import MACHINE, ByTags, Sample, Tags, Where

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GroupTag:
    """A tag of a group of series; None if they do not have it."""

    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class TagSelection:
    """Which series of a machine are requested (`where`), and by which tags they are answered apart (`by`)."""

    where: Where = ()
    by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for names, argument in (([name for name, _ in self.where], "where"), (self.by, "by")):
            if len(set(names)) < len(names):
                raise BadUserInput(f"`{argument}` has a tag twice.", fields=[argument])
            if MACHINE in names:
                raise BadUserInput(f"`{argument}` cannot have the tag {MACHINE}.", fields=[argument])


ALL_SERIES = TagSelection()


def group_by_tags(all_tags: Iterable[Tags], by: Sequence[str]) -> dict[tuple[GroupTag, ...], list[Tags]]:
    """Return the tag sets of each group, ordered by the values of the group's tags."""
    groups: dict[tuple[GroupTag, ...], list[Tags]] = {}
    for tags in all_tags:
        values = dict(tags)
        groups.setdefault(tuple(GroupTag(name, values.get(name)) for name in by), []).append(tags)
    return dict(sorted(groups.items(), key=lambda group: [tag.value or "" for tag in group[0]]))


def to_tags(group: Iterable[GroupTag]) -> Tags:
    """Return those tags of a group that its series have."""
    return tuple((tag.name, tag.value) for tag in group if tag.value is not None)


def merge_samples(by_tags: ByTags[list[Sample]]) -> list[Sample]:
    """Return the samples of all series together, oldest first."""
    if len(by_tags) == 1:
        return next(iter(by_tags.values()))
    return sorted(chain.from_iterable(by_tags.values()))


def select(by_tags: Mapping[Tags, T], all_tags: Iterable[Tags]) -> list[T]:
    """Return the values of some tag sets."""
    return [by_tags[tags] for tags in all_tags]
