"""Alarms in the graph."""

from collections.abc import Sequence
from enum import Enum
from typing import Annotated, Any

import strawberry

from resolvers.devices import get_device
from resolvers.series import alarm_lists
from resolvers.series.alarm_lists import MAX_TOTALS, AlarmGrouping, AlarmOwner, AlarmTotal
from resolvers.series.alarms import LAST_DAY, AlarmRequest, AlarmRun
from resolvers.series.machines import HasMachineId
from schema.engine.fields import Info, argument, attribute, derived, find_selected_keys
from schema.engine.hints import show_hints
from schema.engine.scalars import DateTime
from schema.types.event_arguments import EventRange
from schema.types.paging import Connection
from schema.types.series_arguments import TimeRange, to_range
from schema.types.shared import DEVICE, After, First
from stores.entities.devices import Device

AlarmClasses = Annotated[
    list[str] | None,
    argument("Only alarms of these event classes; those of `series.alarm_classes` if it is omitted."),
]
AlarmMachines = Annotated[list[str] | None, argument("Only alarms of the devices with these machine ids.")]
ActiveOnly = Annotated[bool, argument("Whether alarms that have ended are left out.")]
MaxTotals = Annotated[int, argument(f"The maximum number of groups, at most {MAX_TOTALS}.")]


@strawberry.enum(description="What alarms are counted by.")
class AlarmGroup(Enum):
    MACHINE = strawberry.enum_value("machine", description="The machine.")
    CLASS = strawberry.enum_value("class", description="The event class.")
    EVENT = strawberry.enum_value("event", description="The event class and the event id.")
    VALUE = strawberry.enum_value("value", description="The event class, the event id and the value.")


By = Annotated[AlarmGroup, argument("What they are counted by.")]


async def _get_device(info: Info, machine: HasMachineId | None) -> Any:
    if machine is None or machine.organization_id is None or machine.application_id is None:
        return None
    keys = find_selected_keys(info, Device, "Device")
    return await get_device(
        info.context, machine.organization_id, machine.application_id, machine.machine_id, keys
    )


@strawberry.type(
    description="An alarm: a run of one value of an event of a machine, other than that of the setting"
    " `series.alarm_clear`. Each combination of tags has alarms of its own."
)
class Alarm:
    machine_id: str = attribute("The machine's id.")
    event_class: str | None = attribute("The event's class.")
    event_id: str | None = attribute("The event's id.")
    value: str = attribute("The value as a string, such as the text of the alarm.")
    start: DateTime = attribute(
        "When the value was first reported; of an alarm that began before the range, when it was last"
        " reported before it."
    )
    end: DateTime | None = attribute("When another value was reported, or null while it is active.")
    seconds: float = attribute("The time from its start to its end; while it is active, to now.")
    carried_in: bool = attribute("Whether it began before the range.")

    @derived("The device, or null if no application has registered the machine.", DEVICE | None)
    async def device(root: strawberry.Parent[AlarmRun], info: Info) -> Any:
        return await _get_device(info, root.machine)


@strawberry.type(description="The number and the duration of the alarms of a machine, a class or an event.")
class AlarmSummary:
    machine_id: str | None = attribute("The machine's id, if alarms are counted by machine.")
    event_class: str | None = attribute("The event's class, unless alarms are counted by machine.")
    event_id: str | None = attribute("The event's id, if alarms are counted by event or value.")
    value: str | None = attribute("The value, if alarms are counted by value.")
    count: int = attribute("The number of alarms that were active in the range.")
    active: int = attribute("How many of them are still active.")
    seconds: float = attribute("How long they were active in the range, all together.")

    @derived("The device, if alarms are counted by machine and the machine is registered.", DEVICE | None)
    async def device(root: strawberry.Parent[AlarmTotal], info: Info) -> Any:
        return await _get_device(info, root.machine)


def _to_request(
    range: TimeRange | None,
    classes: Sequence[str] | None,
    machines: Sequence[str] | None = None,
    *,
    active_only: bool = False,
) -> AlarmRequest:
    requested = LAST_DAY if range is None else to_range(range)
    return AlarmRequest(requested, classes, machines, active_only)


@strawberry.type
class AlarmsOfMachine:
    @derived(
        "The machine's alarms that were active in a range, the latest first.",
        Connection[Alarm] | None,
        needs=Device.machine_id.keys,
    )
    async def alarms(
        root: strawberry.Parent[HasMachineId],
        info: Info,
        range: EventRange = None,
        classes: AlarmClasses = None,
        active_only: ActiveOnly = False,
        first: First = None,
        after: After = None,
    ) -> Any:
        request = _to_request(range, classes, active_only=active_only)
        alarms = await alarm_lists.list_alarms(info.context, root, request, first, after)
        return show_hints(info, alarms)

    @derived(
        "The number and the duration of the machine's alarms, most first.",
        list[AlarmSummary] | None,
        needs=Device.machine_id.keys,
    )
    async def alarm_summary(
        root: strawberry.Parent[HasMachineId],
        info: Info,
        by: By,
        range: EventRange = None,
        classes: AlarmClasses = None,
        first: MaxTotals = 20,
    ) -> Any:
        request = _to_request(range, classes)
        grouping = AlarmGrouping(by.value)
        summary = await alarm_lists.summarize_alarms(info.context, root, request, grouping, first)
        return show_hints(info, summary)


@strawberry.type
class AlarmsOfDevices:
    @derived(
        "The alarms of its devices that were active in a range, the latest first.", Connection[Alarm] | None
    )
    async def alarms(
        root: strawberry.Parent[AlarmOwner],
        info: Info,
        range: EventRange = None,
        classes: AlarmClasses = None,
        machines: AlarmMachines = None,
        active_only: ActiveOnly = False,
        first: First = None,
        after: After = None,
    ) -> Any:
        request = _to_request(range, classes, machines, active_only=active_only)
        alarms = await alarm_lists.list_alarms(info.context, root, request, first, after)
        return show_hints(info, alarms)

    @derived(
        "The number and the duration of the alarms of its devices, most first.", list[AlarmSummary] | None
    )
    async def alarm_summary(
        root: strawberry.Parent[AlarmOwner],
        info: Info,
        by: By,
        range: EventRange = None,
        classes: AlarmClasses = None,
        machines: AlarmMachines = None,
        first: MaxTotals = 20,
    ) -> Any:
        request = _to_request(range, classes, machines)
        grouping = AlarmGrouping(by.value)
        summary = await alarm_lists.summarize_alarms(info.context, root, request, grouping, first)
        return show_hints(info, summary)
