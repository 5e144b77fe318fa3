"""States over time and counters: what was carried in, repeats, resets, and samples of one time."""

import pytest

from resolvers.series.counters import find_increases
from resolvers.series.states import find_spans, sum_states
from stores.contracts.series import SECOND, Sample, Value


def samples(*pairs: tuple[int, Value]) -> list[Sample]:
    return [Sample(time, value) for time, value in pairs]


def show_spans(*arguments: object) -> list[tuple[Value, int, int, bool]]:
    spans = find_spans(*arguments)  # type: ignore[arg-type]
    return [(span.value, span.start, span.end, span.carried_in) for span in spans]


def test_a_state_is_carried_in_prolonged_and_lasts_to_the_end() -> None:
    samples_ = samples((20, "ACTIVE"), (30, "ACTIVE"), (40, "READY"))
    assert show_spans(Sample(3, "READY"), samples_, 10, 60) == [
        ("READY", 10, 20, True),
        ("ACTIVE", 20, 40, False),
        ("READY", 40, 60, False),
    ]


def test_before_the_first_sample_nothing_is_known() -> None:
    assert show_spans(None, samples((20, True)), 10, 60) == [(True, 20, 60, False)]
    assert show_spans(None, [], 10, 60) == []


def test_a_sample_at_the_start_ends_what_was_carried_in() -> None:
    assert show_spans(Sample(3, "A"), samples((10, "B")), 10, 60) == [("B", 10, 60, False)]


def test_of_two_samples_of_one_time_the_last_one_counts() -> None:
    assert show_spans(None, samples((20, "A"), (20, "B"), (30, "C")), 10, 40) == [
        ("B", 20, 30, False),
        ("C", 30, 40, False),
    ]


def test_durations_are_shares_of_what_is_known() -> None:
    totals = sum_states(find_spans(None, samples((20, "A"), (50, "B"), (60, "A")), 10, 110))
    assert [(total.value, total.duration) for total in totals] == [("A", 80), ("B", 10)]
    assert sum(total.share for total in totals) == pytest.approx(1)


def test_a_counter_that_falls_began_at_zero_again() -> None:
    samples_ = samples((10, 5), (20, 8), (30, 2), (40, 4))
    [whole] = find_increases(Sample(1, 4), samples_, (0, 50))
    assert (whole.increase, whole.resets) == (1 + 3 + 2 + 2, 1)
    assert [
        (increase.increase, increase.resets)
        for increase in find_increases(Sample(1, 4), samples_, (0, 25, 50))
    ] == [
        (4, 0),
        (4, 1),
    ]


def test_the_first_sample_ever_is_no_increase() -> None:
    [whole] = find_increases(None, samples((10, 500), (20, 501)), (0, SECOND))
    assert (whole.increase, whole.rate) == (1, 1)


def test_texts_are_passed_over() -> None:
    [whole] = find_increases(Sample(1, "x"), samples((10, 1), (20, "y"), (30, 3)), (0, 50))
    assert whole.increase == 2
