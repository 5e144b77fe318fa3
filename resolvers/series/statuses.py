"""The latest reported states of machines, and which of them are connected."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any, TypeVar

from loaders.batching import load_by_group
from resolvers.context import Context
from resolvers.hints import Hinted
from resolvers.limits import DAY
from resolvers.series.absence import hint_at_absence
from resolvers.series.machines import HasMachineId, get_readings, machine_ids, organization_ids
from resolvers.series.tag_sets import ALL_SERIES, TagSelection
from stores.contracts.records import UNCHANGED_TYPES, Attribute, read_bool, read_string
from stores.contracts.samples import END_OF_TIME, Sample
from stores.entities.machine_events import EXECUTION, MODE, POWER, POWER_ON, STATE, STATUS

T = TypeVar("T")


class LatestValue(Attribute[T | None]):
    """The latest reported value of one field, or None if it does not have the type of the field."""

    def __init__(self, read: Callable[[Any], T | None], field: str) -> None:
        self._read, self._field = read, field
        unchanged, _ = UNCHANGED_TYPES[read]
        self._plain = {unchanged, NoneType}

    def __get__(self, status: "Status | None", owner: type) -> Any:
        return self if status is None else self.of([status])[0]

    def of(self, objects: "Sequence[Status]") -> list[T | None]:
        field = self._field
        samples = [status.samples.get(field) for status in objects]
        values: list[Any] = [sample and sample.value for sample in samples]
        return values if self._plain.issuperset(map(type, values)) else list(map(self._read, values))


class LatestTime(Attribute[int | None]):
    """The time of the latest reported value of one field, in nanoseconds since 1970."""

    def __init__(self, field: str) -> None:
        self._field = field

    def __get__(self, status: "Status | None", owner: type) -> Any:
        return self if status is None else self.of([status])[0]

    def of(self, objects: "Sequence[Status]") -> list[int | None]:
        samples = [status.samples.get(self._field) for status in objects]
        return [sample.time if sample else None for sample in samples]


@dataclass(slots=True)  # not frozen: there is one for each machine, and those take twice as long to create
class Status:
    """The latest samples of a machine's state, at least one. Times and durations are in nanoseconds."""

    samples: dict[str, Sample]
    now: int
    stale_after: int

    power = LatestValue(read_bool, POWER)
    execution = LatestValue(read_string, EXECUTION)
    mode = LatestValue(read_string, MODE)
    power_at = LatestTime(POWER)
    execution_at = LatestTime(EXECUTION)
    mode_at = LatestTime(MODE)

    @property
    def at(self) -> int:
        return max(sample.time for sample in self.samples.values())

    @property
    def age(self) -> int:
        return max(self.now - self.at, 0)

    @property
    def stale(self) -> bool:
        return self.age > self.stale_after


async def get_latest(
    context: Context,
    machine: HasMachineId,
    measurement: str,
    field: str,
    tags: TagSelection = ALL_SERIES,
    *,
    include_future: bool,
) -> Sample | Hinted:
    """Return the newest sample of one field, or None with a hint if the machine has never written it.

    All machines with the same arguments are one query.
    """
    end = END_OF_TIME if include_future else context.viewer.series.find_end_of_present(context.now)
    loader = get_readings(context, machine).latest(measurement, (field,), end, tags.where)
    sample = (await loader.load(machine.machine_id)).get(field)
    return hint_at_absence(machine, measurement, field, tags) if sample is None else sample


async def get_statuses(
    context: Context, machines: Sequence[HasMachineId], as_of: int | None = None
) -> list[Status | Exception | None]:
    """Return the status of each machine, or None if it never reported. There is one query per database.

    The status is the present one or, with `as_of`, that of an earlier time.
    """
    ids, stale_after = machine_ids(machines), context.viewer.series.stale_after
    now, end = _find_present(context, as_of)

    async def load(indexes: list[int]) -> list[Status | Exception | None]:
        loader = get_readings(context, machines[indexes[0]]).latest(STATE, STATUS, end)
        all_samples = await loader.load_settled([ids[i] for i in indexes])
        return [
            samples
            if isinstance(samples, Exception)
            else Status(samples, now, stale_after)
            if samples
            else None
            for samples in all_samples
        ]

    return await load_by_group(organization_ids(machines), load)


async def get_connected(
    context: Context, machines: Sequence[HasMachineId], as_of: int | None = None
) -> list[bool | Exception]:
    """Return whether each machine was seen with its power on in the last day. As `get_statuses`."""
    ids = machine_ids(machines)
    now, end = _find_present(context, as_of)

    async def load(indexes: list[int]) -> list[bool | Exception]:
        readings = get_readings(context, machines[indexes[0]])
        loader = readings.machines_with(POWER_ON, now - DAY, end)
        return await loader.load_settled([ids[i] for i in indexes])

    return await load_by_group(organization_ids(machines), load)


def _find_present(context: Context, as_of: int | None) -> tuple[int, int]:
    """Return the time of the present, and the time from which on points say nothing about it.

    Clocks may be ahead of the present, but points after an earlier time were written since then.
    """
    if as_of is not None:
        return as_of, as_of + 1
    return context.now, context.viewer.series.find_end_of_present(context.now)
