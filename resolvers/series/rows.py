"""Series of machines as rows, each of which says what it is of: what tables and Grafana read."""

from collections.abc import Sequence
from dataclasses import dataclass

from resolvers.context import Context
from resolvers.hints import Absence, Hinted
from resolvers.series.columns import select_numbers
from resolvers.series.machine_series import SeriesRequest, SeriesResult, get_series_of_machines
from resolvers.series.tag_sets import GroupTag
from stores.contracts.lazy_lists import ObjectColumns
from stores.contracts.samples import Value

TIME = 3  # the column by which rows are ordered


@dataclass(frozen=True, slots=True)
class PointOfSeries:
    """A point of a series: its time in nanoseconds, the machine and the field that it is of, and its value.

    `number` is the value if it is a number that a double represents exactly, otherwise None. `tags` are those
    of its group, if series are answered apart.
    """

    machine_id: str
    measurement: str
    field: str
    time: int
    value: Value | None
    number: float | None
    tags: tuple[GroupTag, ...]

    @property
    def time_ms(self) -> float:
        return self.time / 1_000_000


async def list_rows(
    context: Context,
    machines: Sequence[tuple[str, str, str]],
    fields: Sequence[tuple[str, str]],
    request: SeriesRequest,
) -> Hinted:
    """Return the points of each field (and group) of each machine as rows, oldest first, as Grafana needs it.

    At the beginning are the errors of series that cannot be read; fields that were never written have hints.
    Errors are raised as by `get_series_of_machines`.
    """
    errors: list[Exception] = []
    parts: list[ObjectColumns[PointOfSeries]] = []
    absences: list[Absence] = []
    for result in await get_series_of_machines(context, machines, fields, request):
        if isinstance(result, Exception):
            errors.append(result)
            continue
        series = result.series
        if isinstance(series, Hinted):
            absences += series.absences
            series = series.value
        if series is not None:
            await context.turn.pause()
            groups = series.groups if request.tags.by else (series,)
            parts += (_make_rows(result.device.machine_id, group) for group in groups)
    rows = _merge(parts)
    return Hinted([*errors, *rows] if errors else rows, absences)


def _make_rows(machine_id: str, series: SeriesResult) -> ObjectColumns[PointOfSeries]:
    count, numbers = len(series.times), select_numbers(series.values)
    names = ([name] * count for name in (machine_id, series.measurement, series.field))
    return ObjectColumns(PointOfSeries, *names, series.times, series.values, numbers, [series.tags] * count)


def _merge(parts: Sequence[ObjectColumns[PointOfSeries]]) -> Sequence[PointOfSeries]:
    """Return the rows of series, each of which is in the order of time, in this order."""
    if len(parts) <= 1:
        return parts[0] if parts else []
    return ObjectColumns.join(PointOfSeries, parts).order_by(TIME)
