"""A time-series store that writes down each call it passes on: what a request costs, for traces and tests."""

from collections.abc import Sequence

from stores.contracts.series import (
    END_OF_TIME,
    Aggregation,
    Catalogue,
    Occurrence,
    Sample,
    SeriesDatabase,
    SeriesStore,
    Source,
    Value,
    Windows,
)


class CountingSeriesStore(SeriesStore):
    """`calls` holds a line for each call, such as `latest state power`, in the order they were made."""

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
    def __init__(self, series: SeriesDatabase, calls: list[str]) -> None:
        self._series, self._calls = series, calls
        self.database = series.database

    def _count(self, call: str, measurement: str, fields: Sequence[str]) -> None:
        self._calls.append(f"{call} {measurement} {','.join(fields)}")

    async def catalogue(self) -> Catalogue:
        self._calls.append("catalogue")
        return await self._series.catalogue()

    async def latest(
        self, measurement: str, fields: Sequence[str], machines: Sequence[str], before: int = END_OF_TIME
    ) -> dict[str, dict[str, Sample]]:
        self._count("latest", measurement, fields)
        return await self._series.latest(measurement, fields, machines, before)

    async def points(
        self,
        measurement: str,
        fields: Sequence[str],
        machines: Sequence[str],
        start: int,
        stop: int,
        limit: int,
    ) -> dict[str, dict[str, list[Sample]]]:
        self._count("points", measurement, fields)
        return await self._series.points(measurement, fields, machines, start, stop, limit)

    async def windows(
        self,
        measurement: str,
        fields: Sequence[str],
        machines: Sequence[str],
        windows: Windows,
        aggregate: Aggregation,
    ) -> dict[str, dict[str, list[tuple[int, Value]]]]:
        self._count("windows", measurement, fields)
        return await self._series.windows(measurement, fields, machines, windows, aggregate)

    async def last(
        self, sources: Sequence[Source], machines: Sequence[str] | None, limit: int, start: int, stop: int
    ) -> list[Occurrence]:
        self._calls.append("last")
        return await self._series.last(sources, machines, limit, start, stop)

    async def counts(
        self, sources: Sequence[Source], machines: Sequence[str] | None, start: int, stop: int
    ) -> dict[str | None, int]:
        self._calls.append("counts")
        return await self._series.counts(sources, machines, start, stop)

    async def machines_with(
        self, measurement: str, field: str, value: Value, start: int, stop: int
    ) -> set[str | None]:
        self._count("machines_with", measurement, [field])
        return await self._series.machines_with(measurement, field, value, start, stop)
