"""The current and the previous hour of the local clock, also where clocks change."""

from zoneinfo import ZoneInfo

import pytest

from resolvers.limits import LIMITS
from resolvers.series.ranges import RequestedRange, to_nanoseconds
from resolvers.series.windows import WindowRule, make_windows
from tests.resolvers.test_ranges import HOUR, at


@pytest.mark.parametrize(
    ("now", "zone"),
    [
        ("2026-03-29T00:30", "UTC"),
        ("2026-03-29T01:20", "Europe/Madrid"),
        ("2026-04-04T15:10", "Australia/Lord_Howe"),  # in the half hour that is repeated
        ("2011-12-30T10:30", "Pacific/Apia"),  # after the day that clocks skipped
    ],
)
def test_the_current_and_the_previous_hour_are_the_last_windows_of_hours(now: str, zone: str) -> None:
    instant = at(now)
    edges = make_windows(instant - 5 * HOUR, instant + 1, WindowRule(unit="hour"), zone, LIMITS).edges
    current = to_nanoseconds(RequestedRange(current="hour"), ZoneInfo(zone), instant, LIMITS)
    previous = to_nanoseconds(RequestedRange(previous="hour"), ZoneInfo(zone), instant, LIMITS)
    assert (current, previous) == ((edges[-2], instant + 1), (edges[-3], edges[-2]))
