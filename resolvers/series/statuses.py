"""What machines last reported of their state, and which of them are connected."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from loaders.batching import load_by_group
from loaders.readings import Readings
from resolvers.context import Context
from resolvers.limits import DAY
from stores.contracts.records import Attribute, read_bool, read_string
from stores.contracts.series import END_OF_TIME, Sample
from stores.entities.devices import Device
from stores.entities.machine_events import EXECUTION, MODE, POWER, POWER_SOURCE, STATE, STATUS

T = TypeVar("T")


class Reported(Attribute[T | None]):
    """What was last reported of one field, where it is of the type that the field is known by."""

    def __init__(self, read: Callable[[Any], T | None], field: str) -> None:
        self._read, self._field = read, field

    def __get__(self, status: "Status | None", owner: type) -> Any:
        return self if status is None else self.of([status])[0]

    def of(self, objects: "Sequence[Status]") -> list[T | None]:
        samples = [each.samples.get(self._field) for each in objects]
        return [self._read(sample.value) if sample else None for sample in samples]


@dataclass(frozen=True, slots=True)
class Status:
    """The latest values of a machine's state. Times are nanoseconds since 1970, ages nanoseconds."""

    samples: dict[str, Sample]
    now: int
    stale_after: int

    power = Reported(read_bool, POWER)
    execution = Reported(read_string, EXECUTION)
    mode = Reported(read_string, MODE)

    @property
    def at(self) -> int:
        return max(sample.time for sample in self.samples.values())

    @property
    def age(self) -> int:
        return max(self.now - self.at, 0)

    @property
    def stale(self) -> bool:
        return self.age > self.stale_after


class HasMachineId(Protocol):
    """What reports: a device, or a machine that no application has registered."""

    @property
    def machine_id(self) -> str: ...

    @property
    def organization_id(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as the time series know it."""

    machine_id: str
    organization_id: str | None = None


def readings_of(context: Context, machine: HasMachineId) -> Readings:
    """The series of a machine's organization; of one that belongs to none, those of the default database."""
    viewer = context.viewer
    if machine.organization_id is None:
        return viewer.shared_tenant().readings
    return viewer.tenant(machine.organization_id).readings


async def latest_of(context: Context, machine: HasMachineId, measurement: str, field: str) -> Sample | None:
    """The newest sample of one field. One query for all machines that are asked for alike."""
    found = await readings_of(context, machine).latest(measurement, (field,)).load(machine.machine_id)
    return found.get(field)


async def statuses(context: Context, machines: Sequence[HasMachineId]) -> list[Status | Exception | None]:
    """By machine its status; None for one that never reported. One query for each database."""
    ids, stale_after = _machine_ids(machines), context.viewer.series.stale_after

    async def load(places: list[int]) -> list[Status | None]:
        loader = readings_of(context, machines[places[0]]).latest(STATE, STATUS)
        samples = await loader.load_many([ids[i] for i in places])
        return [Status(each, context.now, stale_after) if each else None for each in samples]

    return await load_by_group([each.organization_id for each in machines], load)


async def connected(context: Context, machines: Sequence[HasMachineId]) -> list[bool | Exception]:
    """By machine whether it was seen with its power on within the last day. One query for each database."""
    ids, start = _machine_ids(machines), context.now - DAY

    async def load(places: list[int]) -> list[bool]:
        readings = readings_of(context, machines[places[0]])
        loader = readings.machines_with(POWER_SOURCE, True, start, END_OF_TIME)
        return await loader.load_many([ids[i] for i in places])

    return await load_by_group([each.organization_id for each in machines], load)


def _machine_ids(machines: Sequence[HasMachineId]) -> list[str]:
    devices = [each for each in machines if isinstance(each, Device)]
    if len(devices) == len(machines):
        return Device.machine_id.of(devices)
    return [each.machine_id for each in machines]
