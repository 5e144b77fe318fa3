"""A database of time series of which only the points with one value of a tag are seen."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from stores.contracts.areas import AreaCell, AreaRule
from stores.contracts.counters import CounterCell, CounterRule
from stores.contracts.extents import ExtentQuery, SeriesExtent
from stores.contracts.samples import (
    ByMachine,
    ByTags,
    Catalogue,
    Cell,
    Neighbours,
    Occurrence,
    Sample,
    SampleColumns,
    Tags,
    Where,
)
from stores.contracts.series import CellRule, SeriesDatabase
from stores.contracts.series_queries import Aggregation, SeriesQuery, SourceQuery, Windows

T = TypeVar("T")


class TaggedSeriesDatabase(SeriesDatabase):
    """Restricts each query to the points with a tag. The names of fields are those of the whole database."""

    def __init__(self, series: SeriesDatabase, tag: tuple[str, str]) -> None:
        self._series = series
        self._where = ((tag[0], (tag[1],)),)
        self.database = series.database

    def presume_window_samples(self, query: SeriesQuery, windows: Windows, rule: CellRule) -> int:
        return self._series.presume_window_samples(self._narrow(query), windows, rule)

    async def catalogue(self) -> Catalogue:
        return await self._series.catalogue()

    async def extents(self, query: ExtentQuery, limit: int) -> list[SeriesExtent]:
        narrowed = replace(query, where=(*query.where, *self._where))
        extents = await self._series.extents(narrowed, limit)
        return [extent._replace(tags=self._without_tag(extent.tags)) for extent in extents]

    async def latest(self, query: SeriesQuery) -> ByMachine[Sample]:
        return await self._series.latest(self._narrow(query))

    async def points(self, query: SeriesQuery, limit: int) -> ByMachine[ByTags[list[Sample]]]:
        return self._hide_tag(await self._series.points(self._narrow(query), limit))

    async def changes(
        self, query: SeriesQuery, limit: int, period: int | None = None
    ) -> ByMachine[ByTags[SampleColumns]]:
        return self._hide_tag(await self._series.changes(self._narrow(query), limit, period))

    async def neighbours(self, query: SeriesQuery) -> ByMachine[ByTags[Neighbours]]:
        return self._hide_tag(await self._series.neighbours(self._narrow(query)))

    async def windows(
        self, query: SeriesQuery, windows: Windows, aggregation: Aggregation
    ) -> ByMachine[ByTags[list[Cell]]]:
        return self._hide_tag(await self._series.windows(self._narrow(query), windows, aggregation))

    async def areas(
        self, query: SeriesQuery, windows: Windows, rule: AreaRule
    ) -> ByMachine[ByTags[list[AreaCell]]]:
        return self._hide_tag(await self._series.areas(self._narrow(query), windows, rule))

    async def counters(
        self, query: SeriesQuery, windows: Windows, rule: CounterRule, limit: int
    ) -> ByMachine[ByTags[list[CounterCell]]]:
        return self._hide_tag(await self._series.counters(self._narrow(query), windows, rule, limit))

    async def last(self, queries: Sequence[SourceQuery], limit: int) -> list[list[Occurrence]]:
        return await self._series.last([self._narrow_sources(query) for query in queries], limit)

    async def last_by_machine(self, query: SourceQuery, limit: int) -> dict[str, list[Occurrence]]:
        return await self._series.last_by_machine(self._narrow_sources(query), limit)

    async def counts(self, query: SourceQuery) -> dict[str | None, int]:
        return await self._series.counts(self._narrow_sources(query))

    async def machines_with(self, query: SourceQuery) -> set[str | None]:
        return await self._series.machines_with(self._narrow_sources(query))

    async def machines(self, start: int, stop: int, where: Where = ()) -> set[str]:
        return await self._series.machines(start, stop, (*where, *self._where))

    def _hide_tag(self, series: ByMachine[ByTags[T]]) -> ByMachine[ByTags[T]]:
        """Return series without the tag, which all of them have."""
        return {
            machine: {
                field: {self._without_tag(tags): of_tags for tags, of_tags in by_tags.items()}
                for field, by_tags in by_field.items()
            }
            for machine, by_field in series.items()
        }

    def _without_tag(self, tags: Tags) -> Tags:
        [(hidden, _)] = self._where
        return tuple((name, value) for name, value in tags if name != hidden)

    def _narrow(self, query: SeriesQuery) -> SeriesQuery:
        return replace(query, where=(*query.where, *self._where))

    def _narrow_sources(self, query: SourceQuery) -> SourceQuery:
        sources = [replace(source, where=(*source.where, *self._where)) for source in query.sources]
        return replace(query, sources=sources)
