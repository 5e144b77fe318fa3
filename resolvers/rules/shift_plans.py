"""What a shift plan must be: shifts that do not overlap in any week, with their breaks inside."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise

from resolvers.rules.checks import require_name
from stores.contracts.documents import Document
from stores.contracts.errors import BadUserInput
from stores.entities.shift_plans import MAX_BREAKS, MAX_SHIFTS, WEEKDAYS, Break, Shift

DAY, WEEK = 24 * 60, 7 * 24 * 60  # minutes
_LOCAL_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


def make_shift_documents(shifts: Sequence[Shift]) -> list[Document]:
    """Return the shifts of a plan in the form that is stored. Raises `BadUserInput`."""
    if len(shifts) > MAX_SHIFTS:
        raise BadUserInput(f"A shift plan has at most {MAX_SHIFTS} shifts.", fields=["shifts"])
    for index, shift in enumerate(shifts):
        _check_shift(shift, f"shifts.{index}")
    _reject_overlaps(shifts)
    return [
        {**asdict(shift), "days": list(shift.days), "breaks": [asdict(break_) for break_ in shift.breaks]}
        for shift in shifts
    ]


def _check_shift(shift: Shift, path: str) -> None:
    require_name(shift.name, f"{path}.name")
    start, length = _to_minutes(shift, path)
    if not shift.days:
        raise BadUserInput(f"The shift {shift.name} needs a day.", fields=[f"{path}.days"])
    if len(shift.breaks) > MAX_BREAKS:
        raise BadUserInput(f"A shift has at most {MAX_BREAKS} breaks.", fields=[f"{path}.breaks"])
    end_of_previous = 0
    for begin, end, index in sorted(
        (*_place_break(break_, start, f"{path}.breaks.{index}"), index)
        for index, break_ in enumerate(shift.breaks)
    ):
        fields = [f"{path}.breaks.{index}"]
        if end > length:
            raise BadUserInput(f"A break of the shift {shift.name} is not inside it.", fields=fields)
        if begin < end_of_previous:
            raise BadUserInput(f"Breaks of the shift {shift.name} overlap.", fields=fields)
        end_of_previous = end


def _place_break(break_: Break, start_of_shift: int, path: str) -> tuple[int, int]:
    """Return the start and the end of a break in minutes after the start of its shift."""
    start, length = _to_minutes(break_, path)
    begin = (start - start_of_shift) % DAY
    if length == DAY:
        raise BadUserInput("A break must end after it starts.", fields=[path])
    return begin, begin + length


def _to_minutes(span: Shift | Break, path: str) -> tuple[int, int]:
    """Return the minute of the day at which a span starts, and how many it lasts: at most a day."""
    for name, text in (("start", span.start), ("end", span.end)):
        if not _LOCAL_TIME.fullmatch(text):
            raise BadUserInput(
                f"{path}.{name} must be a local time such as 06:00.", fields=[f"{path}.{name}"]
            )
    start, end = (int(text[:2]) * 60 + int(text[3:]) for text in (span.start, span.end))
    return start, (end - start) % DAY or DAY


def _reject_overlaps(shifts: Sequence[Shift]) -> None:
    spans: list[tuple[int, int, str, int]] = []
    for index, shift in enumerate(shifts):
        start, length = _to_minutes(shift, f"shifts.{index}")
        for day in shift.days:
            begin = WEEKDAYS.index(day) * DAY + start
            spans.append((begin, begin + length, day, index))
    spans.sort()
    first_of_next_week = [(begin + WEEK, end, day, index) for begin, end, day, index in spans[:1]]
    for (_, end, day, index), (begin, _, _, following) in pairwise([*spans, *first_of_next_week]):
        if begin < end:
            names = f"{shifts[index].name} (on {day.capitalize()}) and {shifts[following].name}"
            raise BadUserInput(f"The shifts {names} overlap.", fields=[f"shifts.{following}"])
