"""Durations as they are written."""

import pytest

from resolvers.limits import DAY
from stores.contracts.times import WrittenDuration
from tests.resolvers.test_ranges import HOUR

NO_DURATIONS = (
    "", "P", "PT", "-P", "P1H", "1D", "+P1D", "P-1D", "PT1.5", "P1Y", "--P1D", "-", "5", "5M", "m", "1s1m",
    "P5m", "1.5h",
)  # fmt: skip


@pytest.mark.parametrize("text", NO_DURATIONS)
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        WrittenDuration.parse(text)


def test_a_duration_knows_its_days() -> None:
    duration = WrittenDuration.parse("-P1W2DT3H0.000000001S")
    assert (duration, duration.days, duration.rest) == (-(9 * DAY + 3 * HOUR + 1), -9, -(3 * HOUR + 1))


@pytest.mark.parametrize(
    ("interval", "iso"),
    [
        ("5m", "PT5M"), ("1h", "PT1H"), ("500ms", "PT0.5S"), ("1d12h", "P1DT12H"), ("-7d", "-P7D"),
        ("1w", "P1W"), ("1h30m15s250ms", "PT1H30M15.25S"), ("21600s", "PT6H"),
    ],
)  # fmt: skip
def test_intervals_are_written_as_grafana_does(interval: str, iso: str) -> None:
    written, expected = WrittenDuration.parse(interval), WrittenDuration.parse(iso)
    assert (written, written.days, written.rest) == (expected, expected.days, expected.rest)
