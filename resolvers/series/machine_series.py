"""Series of the fields of machines: their samples, or aggregated windows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from loaders.batching import gather_settled
from resolvers.context import Context
from resolvers.devices import get_device
from resolvers.series.budget import spend_points
from resolvers.series.machines import HasMachineId, get_readings
from resolvers.series.ranges import RequestedRange, resolve_range, zone_in_force
from resolvers.series.shaping import NO_FILL, FillRule, Times, Values, fill_gaps, reduce_points
from resolvers.series.windows import CalendarUnitName, make_windows
from stores.contracts.errors import BadUserInput, LimitExceeded, NotFound
from stores.contracts.series import NUMERIC, Aggregation, Windows
from stores.entities.devices import Device

MAX_SERIES = 3_000


@dataclass(frozen=True, slots=True)
class SeriesRequest:
    """The arguments of a series. Without `every` and `aggregation`, the samples are requested."""

    range: RequestedRange
    every: int | CalendarUnitName | None = None  # nanoseconds, or a unit of the calendar in the range's zone
    aggregation: Aggregation | None = None  # the mean if only `every` is given
    fill: FillRule = NO_FILL
    max_points: int | None = None


@dataclass(frozen=True, slots=True)
class SeriesResult:
    """The points of a field from `start` to `stop`, in nanoseconds since 1970.

    `coverage` is the share of the windows that have samples, None without windows. `truncated` is whether
    points were left out because of `max_points`.
    """

    measurement: str
    field: str
    start: int
    stop: int
    times: Times
    values: Values
    coverage: float | None
    truncated: bool


async def get_series(
    context: Context, machine: HasMachineId, measurement: str, field: str, request: SeriesRequest
) -> SeriesResult:
    """Return a machine's series. Machines and fields of a measurement with the same request are one query."""
    _check_request(context, request)
    start, stop = resolve_range(context, request.range)
    coverage: float | None = None
    times: Times
    values: Values
    if request.every is None and request.aggregation is None:
        loader = get_readings(context, machine).points(measurement, start, stop)
        samples = await loader.load((machine.machine_id, field))
        times, values = map(list, zip(*samples, strict=True)) if samples else ([], [])
    else:
        times, values, coverage = await _get_windows(
            context, machine, measurement, field, request, start, stop
        )
    count = len(times)
    if request.max_points is not None:
        times, values = reduce_points(times, values, request.max_points)
    spend_points(context, len(times))
    return SeriesResult(measurement, field, start, stop, times, values, coverage, len(times) < count)


async def _get_windows(
    context: Context,
    machine: HasMachineId,
    measurement: str,
    field: str,
    request: SeriesRequest,
    start: int,
    stop: int,
) -> tuple[Times, Values, float]:
    """Return the starts of the windows, the aggregated values and the coverage."""
    windows = Windows((start, stop), stop - start)
    if request.every is not None:
        limits = context.viewer.series.limits
        windows = make_windows(start, stop, request.every, zone_in_force(context, request.range), limits)
    aggregation = request.aggregation or Aggregation("mean")
    loader = get_readings(context, machine).windows(measurement, start, stop, windows, aggregation)
    cells = await loader.load((machine.machine_id, field))
    if not cells and aggregation.function in NUMERIC:
        await _reject_strings(context, machine, measurement, field, aggregation)
    return *fill_gaps(cells, windows.edges, request.fill), len(cells) / (len(windows.edges) - 1)


async def _reject_strings(
    context: Context, machine: HasMachineId, measurement: str, field: str, aggregation: Aggregation
) -> None:
    catalogue = await get_readings(context, machine).catalogue()
    if catalogue.get(measurement, {}).get(field) == "string":
        raise BadUserInput(
            f"the values of {measurement}.{field} are strings, which have no {aggregation.function}:"
            " use COUNT or LAST",
            fields=["aggregate"],
        )


@dataclass(frozen=True, slots=True)
class DeviceSeries:
    """One device's series of one field."""

    device: Device
    series: SeriesResult


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
        raise LimitExceeded(f"at most {MAX_SERIES} series", fields=["machines", "fields"], limit=MAX_SERIES)
    repeated = [item for item, count in Counter([*machines, *fields]).items() if count > 1]
    if repeated:
        raise BadUserInput(f"{' '.join(repeated[0])} is requested twice", fields=["machines", "fields"])
    _check_request(context, request)
    devices = await gather_settled(_require_device(context, *machine) for machine in machines)
    pairs = [(device, field) for device in devices for field in fields]
    results = await gather_settled(
        _get_device_series(context, device, *field, request) for device, field in pairs
    )
    for result in results:
        if isinstance(result, LimitExceeded):
            raise result
    return results


def _check_request(context: Context, request: SeriesRequest) -> None:
    """Raise what is wrong with a request, whatever machine it is for."""
    limits = context.viewer.series.limits
    start, stop = resolve_range(context, request.range)
    if request.every is not None:
        make_windows(start, stop, request.every, zone_in_force(context, request.range), limits)
    elif request.aggregation is None and request.fill.mode != "none":
        raise BadUserInput("`fill` requires `every`", fields=["fill"])


async def _require_device(
    context: Context, organization_id: str, application_id: str, machine_id: str
) -> Device:
    device = await get_device(context, organization_id, application_id, machine_id, frozenset())
    if device is None:
        raise NotFound(f"{application_id} has no device {machine_id}", fields=["machines"])
    return device


async def _get_device_series(
    context: Context, device: Device | Exception, measurement: str, field: str, request: SeriesRequest
) -> DeviceSeries:
    if isinstance(device, Exception):
        raise device
    return DeviceSeries(device, await get_series(context, device, measurement, field, request))
