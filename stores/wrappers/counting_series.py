"""A time-series store that records each call it forwards: the cost of a request, for traces and tests."""

from stores.contracts.series import (
    Aggregation,
    ByMachine,
    Catalogue,
    Cell,
    Occurrence,
    Sample,
    SeriesDatabase,
    SeriesQuery,
    SeriesStore,
    SourceQuery,
    Value,
    Windows,
)


class CountingSeriesStore(SeriesStore):
    """`calls` has one line for each call, such as `latest state power`, in the order of the calls."""

    def __init__(self, store: SeriesStore) -> None:
        self._store = store
        self.calls: list[str] = []

    def database(self, name: str) -> SeriesDatabase:
        return CountingSeriesDatabase(self._store.database(name), self.calls)

    async def ping(self) -> None:
        await self._store.ping()

    async def close(self) -> None:
        await self._store.close()


class CountingSeriesDatabase(SeriesDatabase):
    """One database of the store."""

    def __init__(self, series: SeriesDatabase, calls: list[str]) -> None:
        self._series, self._calls = series, calls
        self.database = series.database

    def _count(self, call: str, query: SeriesQuery) -> None:
        self._calls.append(f"{call} {query.measurement} {','.join(query.fields)}")

    async def catalogue(self) -> Catalogue:
        self._calls.append("catalogue")
        return await self._series.catalogue()

    async def latest(self, query: SeriesQuery) -> ByMachine[Sample]:
        self._count("latest", query)
        return await self._series.latest(query)

    async def points(self, query: SeriesQuery, limit: int) -> ByMachine[list[Sample]]:
        self._count("points", query)
        return await self._series.points(query, limit)

    async def windows(
        self, query: SeriesQuery, windows: Windows, aggregation: Aggregation
    ) -> ByMachine[list[Cell]]:
        self._count("windows", query)
        return await self._series.windows(query, windows, aggregation)

    async def last(self, query: SourceQuery, limit: int) -> list[Occurrence]:
        self._calls.append("last")
        return await self._series.last(query, limit)

    async def counts(self, query: SourceQuery) -> dict[str | None, int]:
        self._calls.append("counts")
        return await self._series.counts(query)

    async def machines_with(self, query: SourceQuery, value: Value) -> set[str | None]:
        sources = ",".join(f"{source.measurement} {source.field}" for source in query.sources)
        self._calls.append(f"machines_with {sources}")
        return await self._series.machines_with(query, value)
