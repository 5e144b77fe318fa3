"""Pages of alarms, and how many there were by machine, class, event or value."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TypeAlias

import orjson

from resolvers.context import Context
from resolvers.hints import Absence, Hinted
from resolvers.rules.cursors import Cursors, Position
from resolvers.rules.paging import Page, page_size
from resolvers.series.alarms import AlarmRange, AlarmRequest, AlarmRun, find_alarms, resolve_alarm_range
from resolvers.series.local_time import localize
from resolvers.series.machines import HasMachineId, list_devices_of
from resolvers.turns import compute
from stores.contracts.errors import BadUserInput
from stores.contracts.samples import SECOND
from stores.entities.applications import Application
from stores.entities.organizations import Organization

MAX_TOTALS = 1000
AlarmOwner: TypeAlias = Organization | Application | HasMachineId


class AlarmGrouping(Enum):
    """What alarms are counted by. `EVENT` is the class and the event id, `VALUE` also the value."""

    MACHINE = "machine"
    CLASS = "class"
    EVENT = "event"
    VALUE = "value"


@dataclass(slots=True)
class AlarmTotal:
    """The alarms of a group: how many there were and are active, and their time within the range.

    `first` is one of them, which tells what they have in common.
    """

    by: AlarmGrouping
    first: AlarmRun
    count: int = 0
    active: int = 0
    nanoseconds: int = 0

    @property
    def seconds(self) -> float:
        return self.nanoseconds / SECOND

    @property
    def machine(self) -> HasMachineId | None:
        return self.first.machine if self.by is AlarmGrouping.MACHINE else None

    @property
    def machine_id(self) -> str | None:
        return self.first.machine_id if self.by is AlarmGrouping.MACHINE else None

    @property
    def event_class(self) -> str | None:
        return None if self.by is AlarmGrouping.MACHINE else self.first.event_class

    @property
    def event_id(self) -> str | None:
        return self.first.event_id if self.by in (AlarmGrouping.EVENT, AlarmGrouping.VALUE) else None

    @property
    def value(self) -> str | None:
        return self.first.value if self.by is AlarmGrouping.VALUE else None


GROUP_KEYS: dict[AlarmGrouping, Callable[[AlarmRun], tuple[str, ...]]] = {
    AlarmGrouping.MACHINE: lambda alarm: (alarm.machine_id,),
    AlarmGrouping.CLASS: lambda alarm: (alarm.event_class or "",),
    AlarmGrouping.EVENT: lambda alarm: (alarm.event_class or "", alarm.event_id or ""),
    AlarmGrouping.VALUE: lambda alarm: (alarm.event_class or "", alarm.event_id or "", alarm.value),
}


async def list_alarms(
    context: Context, owner: AlarmOwner, request: AlarmRequest, first: int | None, after: str | None
) -> Page[AlarmRun] | Hinted:
    """Return a page of the alarms of a machine, or of all devices of an owner, the latest start first."""
    size = page_size(first)
    cursors = Cursors(context, ("alarms", *_name(owner)))
    position = cursors.decode(after)
    alarms, absences, _ = await _find_alarms_of(context, owner, request)
    alarms = await compute(partial(sorted, alarms, key=_make_order_key), len(alarms))
    if position is not None:
        begin = bisect_right(alarms, (-position[0], position[1]), key=_make_order_key)
    else:
        begin = 0
    count = len(alarms)

    async def count_alarms() -> int:
        return count

    page = Page(
        nodes=alarms[begin : begin + size],
        encode_cursor=lambda alarm: cursors.encode(_make_position(alarm)),
        has_next=begin + size < count,
        has_previous=position is not None,
        count=count_alarms,
    )
    return Hinted(page, absences) if absences else page


async def summarize_alarms(
    context: Context, owner: AlarmOwner, request: AlarmRequest, by: AlarmGrouping, first: int
) -> list[AlarmTotal] | Hinted:
    """Return the groups with most alarms; of several with as many, those with more seconds come first."""
    if not 0 <= first <= MAX_TOTALS:
        raise BadUserInput(f"`first` must be from 0 to {MAX_TOTALS}.", fields=["first"])
    alarms, absences, range_ = await _find_alarms_of(context, owner, request)
    summary = (await compute(partial(_count_by, by, alarms, range_), len(alarms)))[:first]
    return Hinted(summary, absences) if absences else summary


def _count_by(by: AlarmGrouping, alarms: Sequence[AlarmRun], range_: AlarmRange) -> list[AlarmTotal]:
    totals: dict[tuple[str, ...], AlarmTotal] = {}
    for alarm in alarms:
        total = totals.setdefault(GROUP_KEYS[by](alarm), AlarmTotal(by, alarm))
        total.count += 1
        total.active += alarm.end is None
        total.nanoseconds += min(alarm.seen, range_.stop) - max(alarm.start, range_.start)
    ordered = sorted(totals.items(), key=lambda item: (-item[1].count, -item[1].nanoseconds, item[0]))
    return [total for _, total in ordered]


def _name(owner: AlarmOwner) -> tuple[str, ...]:
    """Return what identifies the list of an owner's alarms."""
    if isinstance(owner, Organization):
        return "organization", owner.organization_id
    if isinstance(owner, Application):
        return "application", owner.organization_id, owner.application_id
    return "machine", owner.organization_id or "", owner.machine_id


async def _find_alarms_of(
    context: Context, owner: AlarmOwner, request: AlarmRequest
) -> tuple[list[AlarmRun], Sequence[Absence], AlarmRange]:
    """Return the alarms of an owner's machines, what these have never written, and the range."""
    if isinstance(owner, Organization):
        requested = request.range
        ids = [application.application_id for application in owner.applications]
        machines: Sequence[HasMachineId] = await list_devices_of(context, owner.organization_id, ids)
    else:
        requested = await localize(context, owner, request.range)
        machines = (
            await list_devices_of(context, owner.organization_id, [owner.application_id])
            if isinstance(owner, Application)
            else [owner]
        )
    range_ = resolve_alarm_range(context, requested)
    alarms = await find_alarms(context, machines, range_, request)
    return (*alarms, range_) if isinstance(alarms, Hinted) else (alarms, (), range_)


def _make_position(alarm: AlarmRun) -> Position:
    return alarm.start, orjson.dumps([alarm.machine_id, alarm.tags]).decode()


def _make_order_key(alarm: AlarmRun) -> tuple[int, str]:
    start, name = _make_position(alarm)
    return -start, name
