"""Questions about many devices at once: which of them are in a state, and how many."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from resolvers.context import Context
from resolvers.series.machines import list_devices_of
from resolvers.series.statuses import Status, get_connected, get_statuses
from stores.contracts.errors import Conflict
from stores.entities.applications import Application
from stores.entities.devices import Device

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StatusConditions:
    """Conditions on the status of a device, all of which must hold.

    A device that has never reported has neither a power state nor a stale status. None among `execution`
    stands for devices that have never reported one.
    """

    execution: Sequence[str | None] | None = None
    power: bool | None = None
    stale: bool | None = None
    connected: bool | None = None

    def match(self, status: Status | None) -> bool:
        """Whether the conditions hold, apart from `connected`."""
        return (
            (self.execution is None or (status and status.execution) in self.execution)
            and (self.power is None or (status and status.power) is self.power)
            and (self.stale is None or (status and status.stale) is self.stale)
        )


class Report(NamedTuple):
    """A device, and its status unless it has never reported."""

    device: Device
    status: Status | None


async def select_by_status(
    context: Context, devices: Sequence[Device], conditions: StatusConditions, as_of: int | None
) -> list[Report]:
    """Return the devices whose status meets the conditions, in the given order.

    `as_of` is a time as in `get_statuses`. The statuses are one query for each database, and `connected` is
    another.
    """
    statuses = _raise_failures(await get_statuses(context, devices, as_of))
    reports = [
        Report(device, status)
        for device, status in zip(devices, statuses, strict=True)
        if conditions.match(status)
    ]
    if conditions.connected is None:
        return reports
    connected = _raise_failures(await get_connected(context, [report.device for report in reports], as_of))
    return [
        report
        for report, is_connected in zip(reports, connected, strict=True)
        if bool(is_connected) is conditions.connected
    ]


@dataclass(frozen=True, slots=True)
class ExecutionCount:
    """How many devices have reported this execution last; None for those that have never reported one."""

    execution: str | None
    count: int


async def count_statuses(context: Context, application: Application) -> list[ExecutionCount]:
    """Return how many devices of an application are in each state, the most first, the unknown state last.

    All applications that a request asks for together are one query for each database.
    """
    devices = await list_devices_of(context, application.organization_id, [application.application_id])
    statuses = _raise_failures(await get_statuses(context, devices))
    counts: Counter[str | None] = Counter(status.execution if status else None for status in statuses)
    rows = [ExecutionCount(execution, count) for execution, count in counts.items()]
    return sorted(rows, key=lambda row: (row.execution is None, -row.count, row.execution or ""))


def _raise_failures(values: Sequence[T | Exception]) -> list[T | None]:
    """Return the values; None for a machine whose series are another organization's as well."""
    for value in values:
        if isinstance(value, Exception) and not isinstance(value, Conflict):
            raise value
    return [None if isinstance(value, Exception) else value for value in values]
