"""Durations as they are written."""

import pytest

from resolvers.limits import DAY
from stores.contracts.times import WrittenDuration
from tests.resolvers.test_ranges import HOUR


@pytest.mark.parametrize("text", ["", "P", "PT", "-P", "P1H", "1D", "+P1D", "P-1D", "PT1.5", "P1Y", "--P1D"])
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        WrittenDuration.parse(text)


def test_a_duration_knows_its_days() -> None:
    duration = WrittenDuration.parse("-P1W2DT3H0.000000001S")
    assert (duration, duration.days, duration.rest) == (-(9 * DAY + 3 * HOUR + 1), -9, -(3 * HOUR + 1))
