"""Series of machines as rows, each of which says what it is of: what tables and Grafana read."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from resolvers.context import Context
from resolvers.hints import Absence, Hinted
from resolvers.series.columns import select_numbers
from resolvers.series.machine_series import SeriesRequest, SeriesResult, get_series_of_machines
from stores.contracts.samples import Value


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
    """Return the points of each field of each machine as rows, oldest first, as Grafana requires it.

    At the beginning are the errors of series that cannot be read; fields that were never written have hints.
    Errors are raised as by `get_series_of_machines`.
    """
    errors: list[Exception] = []
    rows: list[PointOfSeries] = []
    absences: list[Absence] = []
    for result in await get_series_of_machines(context, machines, fields, request):
        if isinstance(result, Exception):
            errors.append(result)
        elif isinstance(result.series, Hinted):
            absences += result.series.absences
        else:
            await context.turn.pause()
            rows += _make_rows(result.device.machine_id, result.series)
    rows.sort(key=attrgetter("time"))  # merges series, which are in order
    return Hinted([*errors, *rows], absences)


def _make_rows(machine_id: str, series: SeriesResult) -> list[PointOfSeries]:
    columns = zip(series.times, series.values, select_numbers(series.values), strict=True)
    return [
        PointOfSeries(machine_id, series.measurement, series.field, time, value, number)
        for time, value, number in columns
    ]
