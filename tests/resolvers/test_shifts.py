"""The shifts of a plan in local time: where each lies, whatever clocks do, and the windows that they make."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies

from resolvers.limits import LIMITS
from resolvers.series.ranges import RequestedRange, to_nanoseconds
from resolvers.series.shifts import LocalShifts, list_planned_spans, list_shifts
from resolvers.series.windows import ShiftWindows, WindowRule, make_windows
from stores.contracts.errors import BadUserInput
from stores.contracts.samples import SECOND
from stores.contracts.times import WrittenDuration
from stores.entities.shift_plans import WEEKDAYS, Break, Shift, ShiftPlan
from tests.randomized import randomized
from tests.resolvers.test_ranges import HOUR, MADRID, ZONES, at

MINUTE = 60 * SECOND
WORKDAYS = WEEKDAYS[:5]
EARLY = Shift("Early", "06:00", "14:00", WEEKDAYS, (Break("10:00", "10:30"),))
NIGHT = Shift("Night", "22:00", "06:00", WEEKDAYS, (Break("02:00", "02:30"), Break("04:00", "04:15")))
PLAN = ShiftPlan((Shift("Late", "14:00", "22:00", WORKDAYS), NIGHT, EARLY))
SHIFTS = LocalShifts(PLAN, MADRID)


@pytest.mark.parametrize(
    ("day", "hours", "planned"),
    [
        ("2026-03-27", 8, [4, 1.5, 1.75]),
        ("2026-03-28", 7, [4, 1, 1.75]),  # the clocks skip the first break
        ("2026-10-24", 9, [4, 2.5, 1.75]),  # the break is the first of the two from 2 to 3
    ],
)
def test_a_night_shift_belongs_to_the_day_on_which_it_starts(
    day: str, hours: int, planned: list[float]
) -> None:
    evening = at(f"{day}T22:00", MADRID)
    [night] = [shift for shift in list_shifts(SHIFTS, evening, evening + HOUR) if shift.name == "Night"]
    assert (night.day, night.start, night.end) == (date.fromisoformat(day), evening, evening + hours * HOUR)
    spans = list_planned_spans(SHIFTS, night.start, night.end)
    assert [(end - begin) / HOUR for begin, end in spans] == planned


def test_the_windows_of_shifts_are_named_and_those_between_them_are_not() -> None:
    start, stop = at("2026-11-21T05:00", MADRID), at("2026-11-22T15:00", MADRID)  # from Saturday to Sunday
    windows = make_windows(start, stop, WindowRule(unit="shift"), "UTC", LIMITS, SHIFTS)
    assert isinstance(windows, ShiftWindows)
    assert windows.names == ("Night", "Early", None, "Night", "Early", None)
    clocks = [
        *("2026-11-20T22:00", "2026-11-21T06:00", "2026-11-21T14:00", "2026-11-21T22:00"),
        *("2026-11-22T06:00", "2026-11-22T14:00", "2026-11-22T15:00"),
    ]
    assert windows.edges == tuple(at(clock, MADRID) for clock in clocks)
    free = make_windows(at("2026-11-21T15:00", MADRID), at("2026-11-21T16:00", MADRID),
                        WindowRule(unit="shift"), "UTC", LIMITS, SHIFTS)  # fmt: skip
    assert isinstance(free, ShiftWindows)
    assert (len(free.edges), free.names) == (2, (None,))


def test_the_current_and_the_previous_shift() -> None:
    def resolve(now: str, **requested: object) -> tuple[int, int]:
        range_ = RequestedRange(shifts=SHIFTS, **requested)  # type: ignore[arg-type]  # one unit
        return to_nanoseconds(range_, ZoneInfo("UTC"), at(now, MADRID), LIMITS)

    monday, saturday = "2026-11-23T03:00", "2026-11-21T15:00"
    assert resolve(monday, current="shift") == (at("2026-11-22T22:00", MADRID), at(monday, MADRID) + 1)
    early = at("2026-11-22T06:00", MADRID), at("2026-11-22T14:00", MADRID)
    assert resolve(monday, previous="shift") == early
    week_before = (WrittenDuration.parse("-P7D"),)
    assert resolve(monday, previous="shift", offsets=week_before) == tuple(t - 168 * HOUR for t in early)
    assert resolve(saturday, previous="shift")[1] == at("2026-11-21T14:00", MADRID)
    with pytest.raises(BadUserInput, match="previous: SHIFT"):
        resolve(saturday, current="shift")
    with pytest.raises(BadUserInput, match="setShiftPlan"):
        to_nanoseconds(RequestedRange(current="shift"), ZoneInfo("UTC"), 0, LIMITS)


@randomized(40)
@given(
    zone=strategies.sampled_from(ZONES),
    minute=strategies.integers(min_value=-10_000_000, max_value=40_000_000),
    cuts=strategies.lists(
        strategies.integers(min_value=0, max_value=47), min_size=2, max_size=6, unique=True
    ),
    days=strategies.lists(
        strategies.sets(strategies.sampled_from(WEEKDAYS), min_size=1), min_size=6, max_size=6
    ),
)
def test_shifts_lie_where_a_walk_through_the_minutes_finds_them(
    zone: str, minute: int, cuts: list[int], days: list[set[str]]
) -> None:
    texts = [f"{cut // 2:02}:{cut % 2 * 30:02}" for cut in sorted(cuts)]
    ends = [*texts[1:], texts[0]]
    breaks = [(Break(start, _add_minutes(start, 10)),) for start in texts]
    plan = ShiftPlan(
        tuple(
            Shift(f"{index}", start, end, tuple(day for day in WEEKDAYS if day in of_shift), pauses)
            for index, (start, end, of_shift, pauses) in enumerate(
                zip(texts, ends, days, breaks, strict=False)
            )
        )
    )
    minutes = range(minute, minute + 2 * 24 * 60, 5)
    names, planned = _walk(plan, ZoneInfo(zone), minutes)
    shifts, start, stop = LocalShifts(plan, zone), minutes.start * MINUTE, minutes.stop * MINUTE
    spans = list_shifts(shifts, start, stop)
    by_minute = [[span.name for span in spans if span.start <= m * MINUTE < span.end] for m in minutes]
    assert by_minute == [[names[m]] if m in names else [] for m in minutes]
    to_work = list_planned_spans(shifts, start, stop)
    assert {m for m in minutes if any(a <= m * MINUTE < b for a, b in to_work)} == planned


def _add_minutes(text: str, minutes: int) -> str:
    return (datetime.strptime(text, "%H:%M") + timedelta(minutes=minutes)).strftime("%H:%M")


def _walk(plan: ShiftPlan, zone: ZoneInfo, minutes: range) -> tuple[dict[int, str], set[int]]:
    """For each of these minutes that is in a shift its name, and those of them that are planned.

    A time that clocks show twice has passed when they show it for the first time.
    """
    names, planned = {}, set()
    latest = datetime.min
    spans = [(shift, time.fromisoformat(shift.start), time.fromisoformat(shift.end)) for shift in plan.shifts]
    for minute in range(minutes.start - 240, minutes.stop, minutes.step):
        latest = max(latest, datetime.fromtimestamp(minute * 60, zone).replace(tzinfo=None))
        for day in (latest.date(), latest.date() - timedelta(days=1)) if minute in minutes else ():
            for shift, start, end in spans:
                begin, finish = datetime.combine(day, start), datetime.combine(day, end)
                finish += timedelta(days=end <= start)
                if WEEKDAYS[day.weekday()] in shift.days and begin <= latest < finish:
                    names[minute] = shift.name
                    if latest >= begin + timedelta(minutes=10):  # its break is at its start
                        planned.add(minute)
    return names, planned
