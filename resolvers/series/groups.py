"""The points of a field of a machine: of all its series together, and apart by the values of tags."""

from asyncio import gather
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from loaders.readings import Readings
from resolvers.series.integrals import Extent, TimeWeighting, combine_sums, sum_over_time
from resolvers.series.tag_sets import GroupTag, TagSelection, group_by_tags, merge_samples
from resolvers.turns import compute
from stores.contracts.samples import ByTags, Cell, Neighbours, Sample
from stores.contracts.series_queries import Aggregation, Windows

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Grouped(Generic[T]):
    """What all series are together, and what each group is; there are no groups without `by`."""

    total: T
    groups: dict[tuple[GroupTag, ...], T]

    def convert(self, convert: Callable[[T], U]) -> "Grouped[U]":
        """Return what `convert` makes of the total and of each group."""
        return Grouped(convert(self.total), {tags: convert(group) for tags, group in self.groups.items()})


@dataclass(frozen=True, slots=True)
class FieldReader:
    """Reads a field of a machine from `start` to `stop`, in nanoseconds since 1970.

    Machines and fields of a measurement are one query.
    """

    readings: Readings
    machine_id: str
    measurement: str
    field: str
    start: int
    stop: int
    tags: TagSelection

    async def read_samples(self) -> Grouped[list[Sample]]:
        """Return the samples, oldest first."""
        loader = self.readings.points(self.measurement, self.start, self.stop, self.tags.where)
        by_tags = await loader.load((self.machine_id, self.field))

        def merge() -> Grouped[list[Sample]]:
            groups = group_by_tags(by_tags, self.tags.by) if self.tags.by else {}
            return Grouped(
                merge_samples(by_tags),
                {
                    tags: merge_samples({member: by_tags[member] for member in members})
                    for tags, members in groups.items()
                },
            )

        return await compute(merge, sum(map(len, by_tags.values())) if len(by_tags) > 1 else 0)

    async def read_windows(self, windows: Windows, aggregation: Aggregation) -> Grouped[list[Cell]]:
        """Return the windows that have samples, aggregated. The groups are a query of their own."""

        async def load(by: tuple[str, ...]) -> ByTags[list[Cell]]:
            loader = self.readings.windows(
                self.measurement,
                self.start,
                self.stop,
                windows,
                replace(aggregation, by=by),
                self.tags.where,
            )
            return await loader.load((self.machine_id, self.field))

        if not self.tags.by:
            return Grouped((await load(())).get((), []), {})
        together, apart = await gather(load(()), load(self.tags.by))
        groups = {tags: apart[member] for tags, [member] in group_by_tags(apart, self.tags.by).items()}
        return Grouped(together.get((), []), groups)

    async def read_over_time(
        self, windows: Windows, weighting: TimeWeighting, now: int
    ) -> Grouped[list[Cell]]:
        """Return the windows in which a value is known, integrated or averaged over the time until `now`.

        Each tag set is computed by itself. There are two queries: of the windows, and of the samples next to
        the range.
        """
        stop, key = max(min(self.stop, now + 1), self.start), (self.machine_id, self.field)
        rule, where = weighting.rule, self.tags.where
        areas, neighbours = await gather(
            self.readings.areas(self.measurement, self.start, stop, windows, rule, where).load(key),
            self.readings.neighbours(self.measurement, self.start, stop, where).load(key),
        )
        extent = Extent(self.start, self.stop, now)

        def combine() -> Grouped[list[Cell]]:
            sums = {
                tags: sum_over_time(areas.get(tags, ()), next_to, windows.edges, extent, rule)
                for tags, next_to in ({tags: Neighbours() for tags in areas} | neighbours).items()
            }
            groups = {
                tags: combine_sums((sums[member] for member in members), weighting)
                for tags, members in (group_by_tags(sums, self.tags.by) if self.tags.by else {}).items()
            }
            covered_groups = {tags: cells for tags, cells in groups.items() if cells}
            return Grouped(combine_sums(sums.values(), weighting), covered_groups)

        return await compute(combine, sum(map(len, areas.values())))
