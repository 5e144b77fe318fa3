"""Shift plans in the graph: parts of the settings of applications."""

from enum import Enum

import strawberry

from schema.engine.fields import attribute
from schema.engine.inputs import IF_UPDATED_AT, optional, required
from schema.engine.scalars import DateTime
from schema.types.shared import ApplicationScope
from stores.entities import shift_plans as stored

START_OF_SHIFT = "The local time at which the shift starts, such as `06:00`."
END_OF_SHIFT = (
    "The local time at which the shift ends, on the next day unless it is later than `start`. If they are"
    " equal, the shift lasts a day."
)
START_OF_BREAK = "The local time at which the break starts, such as `10:00`."
END_OF_BREAK = "The local time at which the break ends."
NAME = "The name of the shift, such as `Early`."


@strawberry.enum(description="A day of the week.")
class Weekday(Enum):
    MONDAY = strawberry.enum_value("monday", description="Monday.")
    TUESDAY = strawberry.enum_value("tuesday", description="Tuesday.")
    WEDNESDAY = strawberry.enum_value("wednesday", description="Wednesday.")
    THURSDAY = strawberry.enum_value("thursday", description="Thursday.")
    FRIDAY = strawberry.enum_value("friday", description="Friday.")
    SATURDAY = strawberry.enum_value("saturday", description="Saturday.")
    SUNDAY = strawberry.enum_value("sunday", description="Sunday.")


@strawberry.type(description="A planned break of a shift.")
class ShiftBreak:
    start: str = attribute(START_OF_BREAK)
    end: str = attribute(END_OF_BREAK)


@strawberry.type(description="A shift of every week.")
class Shift:
    name: str = attribute(NAME)
    start: str = attribute(START_OF_SHIFT)
    end: str = attribute(END_OF_SHIFT)
    days: list[Weekday] = attribute("The days on which the shift starts.")
    breaks: list[ShiftBreak] = attribute("Its planned breaks, in which machines do not have to run.")


@strawberry.type(description="When the machines of an application are to work, in its time zone.")
class ShiftPlan:
    shifts: list[Shift] = attribute("The shifts.")
    updated_at: DateTime | None = attribute("The time of the latest change of the plan.")


@strawberry.input(description="A planned break of a shift.")
class ShiftBreakInput:
    start: str = required(START_OF_BREAK)
    end: str = required(END_OF_BREAK)


@strawberry.input(description="A shift of every week.")
class ShiftInput:
    name: str = required(NAME)
    start: str = required(START_OF_SHIFT)
    end: str = required(END_OF_SHIFT)
    days: list[Weekday] | None = optional("The days on which the shift starts; every day if omitted.", None)
    breaks: list[ShiftBreakInput] | None = optional("Its planned breaks.", None)


@strawberry.input(description="The shift plan of an application, which replaces the one before as a whole.")
class SetShiftPlanInput(ApplicationScope):
    shifts: list[ShiftInput] = required(
        "The shifts, at most 12, which must not overlap. An empty list removes the plan."
    )
    if_updated_at: DateTime | None = optional(
        f"{IF_UPDATED_AT} It is that of the plan.",
        None,
    )


def to_shifts(inputs: list[ShiftInput]) -> list[stored.Shift]:
    """Return the shifts of an input, which are not checked yet."""
    return [
        stored.Shift(
            shift.name,
            shift.start,
            shift.end,
            stored.WEEKDAYS if shift.days is None else _to_days(shift.days),
            tuple(stored.Break(break_.start, break_.end) for break_ in shift.breaks or ()),
        )
        for shift in inputs
    ]


def _to_days(days: list[Weekday]) -> tuple[str, ...]:
    chosen = {str(day.value) for day in days}
    return tuple(day for day in stored.WEEKDAYS if day in chosen)
