"""Series of the fields of machines: their samples, or aggregated windows."""

from asyncio import gather
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, get_args

from loaders.batching import gather_settled
from resolvers.context import Context
from resolvers.devices import get_device
from resolvers.hints import Hinted
from resolvers.series.absence import find_written_kind, hint_at_absence, hint_at_tags
from resolvers.series.budget import spend_points
from resolvers.series.groups import FieldReader, Grouped
from resolvers.series.integrals import TimeFunction, TimeWeighting
from resolvers.series.local_time import localize, names_shifts
from resolvers.series.machines import HasMachineId, get_readings
from resolvers.series.ranges import RequestedRange, resolve_range
from resolvers.series.shaping import (
    NO_FILL,
    Columns,
    FillRule,
    Times,
    Values,
    arrange_cells,
    check_max_points,
    reduce_points,
    split_samples,
)
from resolvers.series.tag_sets import ALL_SERIES, GroupTag, TagSelection, to_tags
from resolvers.series.windows import WindowRule, find_shift_names, resolve_windows
from resolvers.turns import compute
from stores.contracts.errors import BadUserInput, LimitExceeded, NotFound
from stores.contracts.samples import Cell, Sample
from stores.contracts.series_queries import NUMERIC, AggregateFunction, Aggregation, Windows
from stores.contracts.times import WrittenDuration
from stores.entities.devices import Device

MAX_SERIES = 3_000
ANY_KIND = set(get_args(AggregateFunction)) - set(NUMERIC)  # functions of values of any kind


@dataclass(frozen=True, slots=True)
class SeriesRequest:
    """The arguments of a series. Without `aggregation`, the samples themselves are requested."""

    range: RequestedRange
    every: WindowRule | None = None
    aggregation: Aggregation | TimeWeighting | None = None
    fill: FillRule = NO_FILL
    max_points: int | None = None
    tags: TagSelection = ALL_SERIES
    compare: WrittenDuration | None = None  # how much earlier the range of the compared series is


@dataclass(frozen=True, slots=True)
class SeriesResult:
    """The points of a field from `start` to `stop`, in nanoseconds since 1970.

    `coverage` is the share of the windows that have samples, None without windows. `truncated` is whether
    points were left out because of `max_points`. Windows that start within `whole` are neither cut by the
    range nor still going on; it is None without windows. `shift_names` are those of windows that are shifts,
    by start. `groups` are the same of some of the series.
    """

    measurement: str
    field: str
    start: int
    stop: int
    times: Times
    values: Values
    coverage: float | None
    truncated: bool
    whole: tuple[int, int] | None
    compared: "SeriesResult | None" = None
    tags: tuple[GroupTag, ...] = ()
    groups: Sequence["SeriesResult"] = ()
    shift_names: Mapping[int, str] | None = None

    @property
    def shifts(self) -> list[str] | None:
        """For each point, the shift that its window is; None if the windows are none of shifts."""
        return None if self.shift_names is None else [self.shift_names[time] for time in self.times]

    @property
    def complete(self) -> list[bool] | None:
        """For each point, whether its window is whole; None without windows."""
        if self.whole is None:
            return None
        first, end = self.whole
        return [first <= time < end for time in self.times]


async def get_series(
    context: Context, machine: HasMachineId, measurement: str, field: str, request: SeriesRequest
) -> SeriesResult | Hinted:
    """Return a machine's series, and that of the range it is compared with.

    Without a sample in the range, it is empty; if the machine has never written the field, it is None with a
    hint. Machines and fields of a measurement with the same request are one query.
    """
    series = await _get_compared_series(context, machine, measurement, field, request)
    if isinstance(series, Hinted) or not request.tags.by:
        return series
    hinted = hint_at_absence(machine, measurement, field, request.tags, series)
    result: SeriesResult | Hinted = hint_at_tags(hinted, (to_tags(group.tags) for group in series.groups))
    return result


async def _get_compared_series(
    context: Context, machine: HasMachineId, measurement: str, field: str, request: SeriesRequest
) -> SeriesResult | Hinted:
    if request.compare is None:
        return await _get_series(context, machine, measurement, field, request)
    offsets = *request.range.offsets, request.compare.as_past()
    earlier = replace(request, range=replace(request.range, offsets=offsets), compare=None)
    series, compared = await gather(
        _get_series(context, machine, measurement, field, request),
        _get_series(context, machine, measurement, field, earlier),
    )
    if isinstance(series, Hinted) or isinstance(compared, Hinted):
        return series
    earlier_groups = {group.tags: group for group in compared.groups}
    groups = [replace(group, compared=earlier_groups.get(group.tags)) for group in series.groups]
    return replace(series, compared=compared, groups=groups)


async def _get_series(
    context: Context, machine: HasMachineId, measurement: str, field: str, request: SeriesRequest
) -> SeriesResult | Hinted:
    requested = await localize(context, machine, request.range, request.every)
    start, stop, windows = _resolve_request(context, replace(request, range=requested))
    names = find_shift_names(windows)
    readings = get_readings(context, machine)
    reader = FieldReader(readings, machine.machine_id, measurement, field, start, stop, request.tags)
    points: Grouped[list[Sample]] | Grouped[list[Cell]]
    whole = None
    if request.aggregation is None:
        points = await reader.read_samples()
    else:
        if isinstance(request.aggregation, TimeWeighting):
            points = await reader.read_over_time(windows, request.aggregation, context.now)
        else:
            points = await reader.read_windows(windows, request.aggregation)
        whole = start, windows.edges[bisect_right(windows.edges, min(stop, context.now + 1)) - 1]
    if not points.total and (absent := await _find_absence(context, machine, measurement, field, request)):
        return absent

    def make(columns: Columns, tags: tuple[GroupTag, ...] = ()) -> SeriesResult:
        times, values, coverage, is_reduced = columns
        spend_points(context, len(times))
        return SeriesResult(
            measurement, field, start, stop, times, values, coverage, is_reduced, whole, None, tags, (), names
        )

    columns = await compute(lambda: points.convert(partial(_shape, request, windows)), len(points.total))

    groups = [make(of_group, tags) for tags, of_group in columns.groups.items()]
    return replace(make(columns.total), groups=groups)


def _shape(request: SeriesRequest, windows: Windows, points: Any) -> Columns:
    """Return samples or, of an aggregation, cells as the columns that are requested."""
    if request.aggregation is None:
        columns = split_samples(points)
    else:
        columns = arrange_cells(points, windows, request.fill)
    if request.max_points is None:
        return columns
    times, values = reduce_points(columns.times, columns.values, request.max_points)
    return Columns(times, values, columns.coverage, len(times) < len(columns.times))


def _resolve_request(context: Context, request: SeriesRequest) -> tuple[int, int, Windows]:
    """Return start, stop and windows of a request; without `every`, one window that is the whole range.

    Raises what is wrong with the request, whatever machine it is for.
    """
    check_max_points(request.max_points)
    start, stop = resolve_range(context, request.range)
    if request.every is None:
        if request.aggregation is None and request.fill.mode != "none":
            raise BadUserInput("`fill` requires `every`.", fields=["fill"])
        return start, stop, Windows((start, stop), stop - start)
    if request.aggregation is None:
        functions = (*get_args(AggregateFunction), *get_args(TimeFunction))
        names = ", ".join(name.upper() for name in functions)
        raise BadUserInput(f"`every` requires `aggregate`: one of {names}.", fields=["aggregate"])
    return start, stop, resolve_windows(context, request.range, request.every, start, stop)


async def _find_absence(
    context: Context, machine: HasMachineId, measurement: str, field: str, request: SeriesRequest
) -> Hinted | None:
    """Return why a series without samples is null, or None if the machine has written it at other times.

    Raises `BadUserInput` if its values are strings, of which there is no such aggregate.
    """
    kind = await find_written_kind(context, machine, measurement, field, request.tags.where)
    if kind is None:
        return hint_at_absence(machine, measurement, field, TagSelection(request.tags.where))
    if kind == "string" and request.aggregation and request.aggregation.function not in ANY_KIND:
        raise BadUserInput(
            f"The values of {measurement}.{field} are strings, which have no {request.aggregation.function}:"
            " use COUNT or LAST.",
            fields=["aggregate"],
        )
    return None


@dataclass(frozen=True, slots=True)
class DeviceSeries:
    """One device's series of one field."""

    device: Device
    series: SeriesResult | Hinted


async def get_series_of_machines(
    context: Context,
    machines: Sequence[tuple[str, str, str]],
    fields: Sequence[tuple[str, str]],
    request: SeriesRequest,
) -> list[DeviceSeries | Exception]:
    """Return the series of each field (measurement, field) of each machine, by machine.

    A machine is an organization id, an application id and a machine id. A machine that does not exist, or a
    series that cannot be read, has its error in each of its positions. Errors of the request as a whole are
    raised: `BadUserInput` and `LimitExceeded`.
    """
    if len(machines) * len(fields) > MAX_SERIES:
        raise LimitExceeded(
            "series",
            MAX_SERIES,
            len(machines) * len(fields),
            "Request fewer machines or fields.",
            fields=["machines", "fields"],
        )
    repeated = [item for item, count in Counter([*machines, *fields]).items() if count > 1]
    if repeated:
        raise BadUserInput(f"{' '.join(repeated[0])} is requested twice.", fields=["machines", "fields"])
    if not names_shifts(request.range, request.every):  # which are those of each machine's application
        _resolve_request(context, request)
    devices = await gather_settled(_require_device(context, *machine) for machine in machines)
    pairs = [(device, field) for device in devices for field in fields]
    results = await gather_settled(
        _get_device_series(context, device, *field, request) for device, field in pairs
    )
    for result in results:
        if isinstance(result, LimitExceeded):
            raise result
    return results


async def _require_device(
    context: Context, organization_id: str, application_id: str, machine_id: str
) -> Device:
    device = await get_device(context, organization_id, application_id, machine_id, frozenset())
    if device is None:
        raise NotFound(f"{application_id} has no device {machine_id}.", fields=["machines"])
    return device


async def _get_device_series(
    context: Context, device: Device | Exception, measurement: str, field: str, request: SeriesRequest
) -> DeviceSeries:
    if isinstance(device, Exception):
        raise device
    return DeviceSeries(device, await get_series(context, device, measurement, field, request))
