"""Ranges and windows: a request becomes exact nanoseconds, or an error before any store is called."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from resolvers.limits import DAY, LIMITS, Limits
from resolvers.series.ranges import RequestedRange, resolve_range
from resolvers.series.windows import CalendarUnitName, make_windows
from stores.contracts.errors import BadUserInput, GatewayError, LimitExceeded
from stores.contracts.series import END_OF_TIME, SECOND

HOUR = 3600 * SECOND
NOW = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()) * SECOND
MADRID = "Europe/Madrid"


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * SECOND


def naive(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_the_last_hours_end_with_now_itself() -> None:
    assert resolve_range(RequestedRange(last=DAY), NOW, LIMITS) == (NOW - DAY, NOW + 1)


def test_a_range_without_an_end_ends_now_or_never() -> None:
    requested = RequestedRange(start=naive("2026-11-24T00:00"))
    assert resolve_range(requested, NOW, LIMITS) == (NOW - 12 * HOUR, NOW + 1)
    assert resolve_range(requested, NOW, LIMITS, open_ended=True) == (NOW - 12 * HOUR, END_OF_TIME)


@pytest.mark.parametrize(
    ("requested", "error"),
    [
        (RequestedRange(), BadUserInput),
        (RequestedRange(stop=naive("2026-11-24T00:00")), BadUserInput),
        (RequestedRange(start=naive("2026-11-24T00:00"), last=DAY), BadUserInput),
        (RequestedRange(stop=naive("2026-11-24T00:00"), last=DAY), BadUserInput),
        (RequestedRange(last=0), BadUserInput),
        (RequestedRange(last=-DAY), BadUserInput),
        (RequestedRange(start=naive("2026-11-24T00:00"), stop=naive("2026-11-24T00:00")), BadUserInput),
        (RequestedRange(start=naive("2026-11-24T00:00"), stop=naive("2026-11-23T00:00")), BadUserInput),
        (RequestedRange(last=401 * DAY), LimitExceeded),
        (RequestedRange(start=naive("1970-01-01T00:00")), LimitExceeded),
    ],
)
def test_a_range_that_is_none_is_refused(requested: RequestedRange, error: type[GatewayError]) -> None:
    with pytest.raises(error):
        resolve_range(requested, NOW, LIMITS)


def test_windows_of_a_duration_are_counted_from_1970() -> None:
    windows = make_windows(NOW - 90, NOW + 301 * SECOND, 300 * SECOND, "UTC", LIMITS)
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
    windows = make_windows(at(start, MADRID), at(stop, MADRID), unit, MADRID, LIMITS)
    assert [(b - a) // HOUR for a, b in pairwise(windows.edges)] == hours
    assert windows.edges[0] <= at(start, MADRID)
    assert windows.edges[-1] >= at(stop, MADRID)
    assert (windows.step is None) == (len(set(hours)) > 1)


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    week = make_windows(at("2026-11-25T00:00"), at("2026-11-26T00:00"), "week", "UTC", LIMITS)
    month = make_windows(at("2026-12-25T00:00"), at("2026-12-26T00:00"), "month", "UTC", LIMITS)
    assert week.edges == (at("2026-11-23T00:00"), at("2026-11-30T00:00"))
    assert month.edges == (at("2026-12-01T00:00"), at("2027-01-01T00:00"))


def test_hours_of_a_zone_that_is_half_an_hour_off_begin_at_its_own_full_hours() -> None:
    windows = make_windows(at("2026-11-24T00:00"), at("2026-11-24T01:00"), "hour", "Asia/Kolkata", LIMITS)
    assert windows.edges[:2] == (at("2026-11-23T23:30"), at("2026-11-24T00:30"))


def test_a_day_whose_midnight_the_clocks_jump_over_begins_when_they_jump() -> None:
    zone = "America/Santiago"  # 2026-09-06 begins at 01:00
    windows = make_windows(at("2026-09-06T12:00", zone), at("2026-09-06T13:00", zone), "day", zone, LIMITS)
    assert windows.edges == (at("2026-09-06T01:00", zone), at("2026-09-07T00:00", zone))


@pytest.mark.parametrize(
    ("every", "zone", "error"),
    [
        (0, "UTC", BadUserInput),
        (-SECOND, "UTC", BadUserInput),
        (1_000_000, "UTC", LimitExceeded),
        ("day", "Mars/Olympus", BadUserInput),
        ("day", "", BadUserInput),
        ("day", "../../etc/passwd", BadUserInput),
        ("day", "Europe", BadUserInput),
    ],
)
def test_windows_that_cannot_be_are_refused(every: Any, zone: str, error: type[GatewayError]) -> None:
    with pytest.raises(error):
        make_windows(NOW - 365 * DAY, NOW, every, zone, LIMITS)


def test_the_number_of_windows_is_capped_for_calendars_too() -> None:
    with pytest.raises(LimitExceeded, match="max_windows"):
        make_windows(NOW - 365 * DAY, NOW, "hour", MADRID, Limits(windows=1000))
