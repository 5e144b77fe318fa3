"""Ranges and windows: a request becomes exact nanoseconds, or an error before any store is called."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies

from resolvers.limits import DAY, LIMITS, Limits
from resolvers.series.calendar import CalendarUnitName
from resolvers.series.ranges import RequestedRange, to_nanoseconds
from resolvers.series.windows import WindowRule, make_windows
from stores.contracts.errors import BadUserInput, GatewayError, LimitExceeded
from stores.contracts.samples import END_OF_TIME, SECOND
from stores.contracts.times import WrittenDuration, WrittenTime

HOUR = 3600 * SECOND
NOW = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()) * SECOND
MADRID = "Europe/Madrid"
# Changes at midnight, by half an hour, by a day, and never; offsets of quarters of an hour.
ZONES = [
    "UTC", "Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/Santiago",
    "Asia/Kathmandu", "Asia/Beirut", "Africa/Casablanca", "Pacific/Kiritimati", "America/Sao_Paulo",
]  # fmt: skip


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * SECOND


def written(text: str) -> WrittenTime:
    return WrittenTime.parse(text)


def resolve(requested: RequestedRange, *, open_ended: bool = False, zone: str = "UTC") -> tuple[int, int]:
    return to_nanoseconds(requested, ZoneInfo(zone), NOW, LIMITS, open_ended=open_ended)


def test_the_last_hours_end_with_now_itself() -> None:
    assert resolve(RequestedRange(last=DAY)) == (NOW - DAY, NOW + 1)


def test_a_range_without_an_end_ends_now_or_never() -> None:
    requested = RequestedRange(start=written("2026-11-24T00:00"))
    assert resolve(requested) == (NOW - 12 * HOUR, NOW + 1)
    assert resolve(requested, open_ended=True) == (NOW - 12 * HOUR, END_OF_TIME)


@pytest.mark.parametrize(
    ("requested", "error"),
    [
        (RequestedRange(), BadUserInput),
        (RequestedRange(stop=written("2026-11-24T00:00")), BadUserInput),
        (RequestedRange(start=written("2026-11-24T00:00"), last=DAY), BadUserInput),
        (RequestedRange(stop=written("2026-11-24T00:00"), last=DAY), BadUserInput),
        (RequestedRange(last=0), BadUserInput),
        (RequestedRange(last=-DAY), BadUserInput),
        (RequestedRange(start=written("2026-11-24T00:00"), stop=written("2026-11-24T00:00")), BadUserInput),
        (RequestedRange(start=written("2026-11-24T00:00"), stop=written("2026-11-23T00:00")), BadUserInput),
        (RequestedRange(last=401 * DAY), LimitExceeded),
        (RequestedRange(start=written("1970-01-01T00:00")), LimitExceeded),
    ],
)
def test_a_range_that_is_none_is_refused(requested: RequestedRange, error: type[GatewayError]) -> None:
    with pytest.raises(error):
        resolve(requested)


def test_a_limit_says_what_to_do() -> None:
    with pytest.raises(LimitExceeded, match=r"shorter range \(series.max_range_days\)"):
        resolve(RequestedRange(last=401 * DAY))


def test_windows_of_a_duration_are_counted_from_1970() -> None:
    windows = make_windows(NOW - 90, NOW + 301 * SECOND, WindowRule(300 * SECOND), "UTC", LIMITS)
    assert windows.edges == (NOW - 300 * SECOND, NOW, NOW + 300 * SECOND, NOW + 600 * SECOND)
    assert windows.step == 300 * SECOND


@pytest.mark.parametrize(
    ("unit", "start", "stop", "hours"),
    [
        ("day", "2026-03-28T00:00", "2026-03-31T00:00", [24, 23, 24]),
        ("day", "2026-10-24T00:00", "2026-10-27T00:00", [24, 25, 24]),
        ("week", "2026-03-25T12:00", "2026-04-01T00:00", [167, 168]),
        ("month", "2026-03-15T00:00", "2026-04-15T00:00", [743, 720]),
        ("hour", "2026-10-25T01:30", "2026-10-25T03:30", [1, 1, 1, 1]),
    ],
)
def test_calendar_windows_follow_the_local_clock(
    unit: CalendarUnitName, start: str, stop: str, hours: list[int]
) -> None:
    windows = make_windows(at(start, MADRID), at(stop, MADRID), WindowRule(unit=unit), MADRID, LIMITS)
    assert [(b - a) // HOUR for a, b in pairwise(windows.edges)] == hours
    assert windows.edges[0] <= at(start, MADRID)
    assert windows.edges[-1] >= at(stop, MADRID)
    assert (windows.step is None) == (len(set(hours)) > 1)


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    week = make_windows(
        at("2026-11-25T00:00"), at("2026-11-26T00:00"), WindowRule(unit="week"), "UTC", LIMITS
    )
    month = make_windows(
        at("2026-12-25T00:00"), at("2026-12-26T00:00"), WindowRule(unit="month"), "UTC", LIMITS
    )
    assert week.edges == (at("2026-11-23T00:00"), at("2026-11-30T00:00"))
    assert month.edges == (at("2026-12-01T00:00"), at("2027-01-01T00:00"))


def test_hours_of_a_zone_that_is_half_an_hour_off_begin_at_its_own_full_hours() -> None:
    windows = make_windows(
        at("2026-11-24T00:00"), at("2026-11-24T01:00"), WindowRule(unit="hour"), "Asia/Kolkata", LIMITS
    )
    assert windows.edges[:2] == (at("2026-11-23T23:30"), at("2026-11-24T00:30"))


def test_a_day_whose_midnight_the_clocks_jump_over_begins_when_they_jump() -> None:
    zone = "America/Santiago"  # 2026-09-06 begins at 01:00
    windows = make_windows(
        at("2026-09-06T12:00", zone), at("2026-09-06T13:00", zone), WindowRule(unit="day"), zone, LIMITS
    )
    assert windows.edges == (at("2026-09-06T01:00", zone), at("2026-09-07T00:00", zone))


@pytest.mark.parametrize(
    ("every", "zone", "error"),
    [
        ({"duration": 0}, "UTC", BadUserInput),
        ({"duration": -SECOND}, "UTC", BadUserInput),
        ({"duration": 1_000_000}, "UTC", LimitExceeded),
        ({}, "UTC", BadUserInput),
        ({"duration": DAY, "unit": "day"}, "UTC", BadUserInput),
        ({"unit": "day", "offset": SECOND}, "UTC", BadUserInput),
        ({"day_times": (time(6), time(6))}, "UTC", BadUserInput),
        ({"unit": "day"}, "Mars/Olympus", BadUserInput),
        ({"unit": "day"}, "", BadUserInput),
        ({"unit": "day"}, "../../etc/passwd", BadUserInput),
        ({"unit": "day"}, "Europe", BadUserInput),
    ],
)
def test_windows_that_cannot_be_are_refused(every: Any, zone: str, error: type[GatewayError]) -> None:
    with pytest.raises(error):
        make_windows(NOW - 365 * DAY, NOW, WindowRule(**every), zone, LIMITS)


def test_the_number_of_windows_is_capped_for_calendars_too() -> None:
    with pytest.raises(LimitExceeded, match="max_windows"):
        make_windows(NOW - 365 * DAY, NOW, WindowRule(unit="hour"), MADRID, Limits(windows=1000))


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2025-01-01T00:00:00.123456789Z", MADRID, "2025-01-01T00:00:00 UTC 123456789"),
        ("2025-01-01t01:00:00.1z", MADRID, "2025-01-01T01:00:00 UTC 100000000"),
        ("2025-01-01T00:00:00+05:30", MADRID, "2024-12-31T18:30:00 UTC 0"),
        ("2025-01-01T00:00:00.5", MADRID, "2025-01-01T00:00:00 Europe/Madrid 500000000"),
        ("2025-07-01T00:00", MADRID, "2025-07-01T00:00:00 Europe/Madrid 0"),
        ("1969-12-31T23:59:59.999999999Z", "UTC", "1969-12-31T23:59:59 UTC 999999999"),
    ],
)
def test_times_are_exact_and_local_without_an_offset(text: str, zone: str, expected: str) -> None:
    second, zone_of_second, rest = expected.split()
    start, _ = (
        resolve(RequestedRange(written(text), written("2025-07-02T00:00Z")), zone=zone)
        if (text > "2024")
        else to_nanoseconds(
            RequestedRange(written(text), written("1970-01-01T00:00:01Z")), ZoneInfo(zone), NOW, LIMITS
        )
    )
    assert start == at(second, zone_of_second) + int(rest)


def test_as_a_stored_time_a_written_time_is_in_milliseconds_of_utc() -> None:
    assert written("2025-01-01T01:00:00.123999999+01:00") == datetime(2025, 1, 1, 0, 0, 0, 123_000)
    assert written("2025-01-01T01:00:00") == datetime(2025, 1, 1, 1)


@pytest.mark.parametrize(
    "text",
    [
        "", "2025-01-01", "2025-01-01 00:00:00Z", "2025-01-01T00:00:00.1234567890Z", "2025-02-30T00:00:00Z",
        "0001-01-01T00:00:00+05:00", "2025-01-01T00:00:00Z Z", "T", "2025-01-01T24:00:00Z",
    ],
)  # fmt: skip
def test_what_is_not_a_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|calendar|day|hour|month"):
        written(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00", "1600-01-01T00:00:00Z", "9999-12-31T23:59:59"])
def test_a_time_that_no_series_has_is_refused(text: str) -> None:
    with pytest.raises(BadUserInput, match="1678"):
        resolve(RequestedRange(start=written(text), stop=written(text)), zone="Pacific/Apia")


def test_a_day_that_does_not_exist_has_no_window() -> None:
    zone = "Pacific/Apia"  # 2011-12-30 was skipped
    windows = make_windows(
        at("2011-12-28T00:00", zone), at("2012-01-02T00:00", zone), WindowRule(unit="day"), zone, LIMITS
    )
    days = ["2011-12-28", "2011-12-29", "2011-12-31", "2012-01-01", "2012-01-02"]
    assert windows.edges == tuple(at(f"{day}T00:00", zone) for day in days)


def test_a_repeated_half_hour_is_a_window_of_its_own() -> None:
    zone = "Australia/Lord_Howe"  # on 2026-04-05 the clocks go back from 02:00 to 01:30
    start = at("2026-04-05T01:00", zone)
    windows = make_windows(start, start + 3 * HOUR, WindowRule(unit="hour"), zone, LIMITS)
    assert [b - a for a, b in pairwise(windows.edges)] == [HOUR, HOUR // 2, HOUR, HOUR]


@settings(max_examples=60, deadline=None)
@given(
    zone=strategies.sampled_from(ZONES),
    minute=strategies.integers(min_value=-20_000_000, max_value=40_000_000),
    length=strategies.integers(min_value=1, max_value=9 * 24 * 60),
    unit=strategies.sampled_from(["hour", "day", "week", "month"]),
)
def test_windows_begin_where_a_walk_through_the_minutes_finds_them(
    zone: str, minute: int, length: int, unit: CalendarUnitName
) -> None:
    start, stop = minute * 60 * SECOND, (minute + length) * 60 * SECOND
    windows = make_windows(start, stop, WindowRule(unit=unit), zone, LIMITS)
    assert windows.edges[0] <= start < windows.edges[1]
    assert windows.edges[-2] < stop <= windows.edges[-1]
    assert all(a < b for a, b in pairwise(windows.edges))
    inner = [edge // SECOND for edge in windows.edges if start < edge < stop]
    assert inner == walk(minute * 60, (minute + length) * 60, unit, ZoneInfo(zone))


def walk(start: int, stop: int, unit: CalendarUnitName, zone: ZoneInfo) -> list[int]:
    """The seconds between two times at which a unit begins, by looking at every minute."""
    edges = []
    newest = date.min
    before = datetime.fromtimestamp(start, zone)
    for second in range(start - 4 * 3600, stop, 60):
        local = datetime.fromtimestamp(second, zone)
        first = find_first_day(local.date(), unit)
        if unit == "hour":  # it begins when the clock shows it, or where the one before is cut
            is_edge = local.minute == 0 or (before.minute == 59 and local.utcoffset() != before.utcoffset())
        else:  # it begins when its first day is shown for the first time
            is_edge = first > newest
        if is_edge and second > start:
            edges.append(second)
        newest, before = max(newest, first), local
    return edges


def find_first_day(day: date, unit: CalendarUnitName) -> date:
    if unit == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if unit == "month" else day


def test_shifts_begin_at_local_times_also_where_clocks_change() -> None:
    shifts = WindowRule(day_times=(time(22), time(6), time(14)))  # in any order
    start, stop = at("2026-03-28T22:30", MADRID), at("2026-03-29T22:00", MADRID)
    windows = make_windows(start, stop, shifts, MADRID, LIMITS)
    clocks = ["2026-03-28T22:00", "2026-03-29T06:00", "2026-03-29T14:00", "2026-03-29T22:00"]
    assert windows.edges == tuple(at(clock, MADRID) for clock in clocks)
    assert [(b - a) // HOUR for a, b in pairwise(windows.edges)] == [7, 8, 8]  # the night is an hour shorter


def test_windows_of_a_duration_may_begin_later() -> None:
    windows = make_windows(NOW, NOW + HOUR, WindowRule(HOUR, offset=900 * SECOND), "UTC", LIMITS)
    assert windows.edges == (NOW - 2700 * SECOND, NOW + 900 * SECOND, NOW + 4500 * SECOND)


@pytest.mark.parametrize(
    ("requested", "start", "stop"),
    [
        ({"current": "hour"}, "2026-11-24T13:00", None),
        ({"previous": "hour"}, "2026-11-24T12:00", "2026-11-24T13:00"),
        ({"current": "day"}, "2026-11-24T00:00", None),
        ({"current": "week"}, "2026-11-23T00:00", None),
        ({"current": "month"}, "2026-11-01T00:00", None),
        ({"previous": "day"}, "2026-11-23T00:00", "2026-11-24T00:00"),
        ({"previous": "week"}, "2026-11-16T00:00", "2026-11-23T00:00"),
        ({"previous": "month"}, "2026-10-01T00:00", "2026-11-01T00:00"),
        ({"previous": "week", "offset": "-P7D"}, "2026-11-09T00:00", "2026-11-16T00:00"),
        ({"previous": "day", "offset": "-P4W2D"}, "2026-10-24T00:00", "2026-10-25T00:00"),  # across a change
        ({"previous": "day", "offset": "PT6H"}, "2026-11-23T06:00", "2026-11-24T06:00"),
    ],
)
def test_ranges_of_the_calendar_are_local(requested: dict[str, Any], start: str, stop: str | None) -> None:
    offset = requested.pop("offset", None)
    offsets = (WrittenDuration.parse(offset),) if offset else ()
    end = NOW + 1 if stop is None else at(stop, MADRID)
    assert resolve(RequestedRange(offsets=offsets, **requested), zone=MADRID) == (at(start, MADRID), end)


def test_a_range_that_was_moved_does_not_include_the_future() -> None:
    requested = RequestedRange(last=DAY, offsets=(WrittenDuration.parse("-P1D"),))
    assert resolve(requested, open_ended=True) == (NOW - 2 * DAY, NOW - DAY + 1)
