"""Series of machines as rows, each of which says what it is of: what tables and Grafana read."""

from collections.abc import Sequence
from dataclasses import dataclass

from resolvers.context import Context
from resolvers.hints import Hinted
from resolvers.series.columns import select_numbers
from resolvers.series.machine_series import SeriesRequest, SeriesResult, get_series_of_machines
from stores.contracts.series import Value


@dataclass(frozen=True, slots=True)
class PointOfSeries:
    """A point of a series: its time in nanoseconds, the machine and the field that it is of, and its value.

    `number` is the value if it is a number that a double represents exactly, otherwise None.
    """

    machine_id: str
    measurement: str
    field: str
    time: int
    value: Value | None
    number: float | None

    @property
    def time_ms(self) -> float:
        return self.time / 1_000_000


async def list_rows(
    context: Context,
    machines: Sequence[tuple[str, str, str]],
    fields: Sequence[tuple[str, str]],
    request: SeriesRequest,
) -> Hinted:
    """Return the points of each field of each machine as rows, series by series, oldest first.

    In the place of a series that cannot be read is its error, and fields that were never written have hints.
    Errors are raised as by `get_series_of_machines`.
    """
    rows: list[PointOfSeries | Exception] = []
    hinted = Hinted(rows, [])
    for result in await get_series_of_machines(context, machines, fields, request):
        if isinstance(result, Exception):
            rows.append(result)
        elif isinstance(result.series, Hinted):
            hinted = Hinted(rows, [*hinted.absences, *result.series.absences])
        else:
            await context.turn.pause()
            rows += _make_rows(result.device.machine_id, result.series)
    return hinted


def _make_rows(machine_id: str, series: SeriesResult) -> list[PointOfSeries | Exception]:
    columns = zip(series.times, series.values, select_numbers(series.values), strict=True)
    return [
        PointOfSeries(machine_id, series.measurement, series.field, time, value, number)
        for time, value, number in columns
    ]
