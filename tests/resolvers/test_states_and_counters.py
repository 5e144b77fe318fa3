"""States over time and counters: what was carried in, repeats, resets, and samples of one time."""

from itertools import pairwise

import pytest

from resolvers.series.counters import CounterSamples, find_increases
from resolvers.series.states import StateHistory, find_spans, split_states, sum_states
from stores.contracts.series import SECOND, Sample, Value, Windows


def samples(*pairs: tuple[int, Value]) -> list[Sample]:
    return [Sample(time, value) for time, value in pairs]


def show_spans(*arguments: object) -> list[tuple[Value, int, int, bool]]:
    spans = find_spans(*arguments)  # type: ignore[arg-type]  # as the tests pass them
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
    counter = CounterSamples(Sample(1, 4), samples((10, 5), (20, 8), (30, 2), (40, 4)), None)
    [whole] = find_increases([counter], (0, 50), (0, 50))
    assert (whole.increase, whole.resets) == (1 + 3 + 2 + 2, 1)
    windows = find_increases([counter], (0, 25, 50), (0, 50))
    assert [(window.increase, window.resets) for window in windows] == [(4, 0), (4, 1)]


def test_the_first_sample_ever_is_no_increase() -> None:
    counter = CounterSamples(None, samples((0, 500), (SECOND, 501)), None)
    [whole] = find_increases([counter], (0, 2 * SECOND), (0, 2 * SECOND))
    assert (whole.increase, whole.rate) == (1, 1)
    [single] = find_increases([CounterSamples(None, samples((5, 500)), None)], (0, 9), (0, 9))
    assert (single.increase, single.rate) == (0, None)


def test_strings_are_passed_over() -> None:
    counter = CounterSamples(Sample(1, "x"), samples((10, 1), (20, "y"), (30, 3)), None)
    [whole] = find_increases([counter], (0, 50), (0, 50))
    assert whole.increase == 2


@pytest.mark.parametrize("every", [7, 60, 900, 3600])
def test_a_counter_that_grows_evenly_has_the_same_rate_in_every_window(every: int) -> None:
    start, now = 1_000 * SECOND, 8_000 * SECOND
    seconds = range(1003, 8000, 5)
    growing = samples(*((second * SECOND, second) for second in seconds))
    counter = CounterSamples(Sample(998 * SECOND, 998), growing, None)
    edges = range(start // (every * SECOND) * every * SECOND, now + every * SECOND, every * SECOND)
    windows = find_increases([counter], edges, (start, now))
    rates = [window.rate for window in windows if window.rate is not None]
    assert rates == pytest.approx([1.0] * len(rates), abs=1e-6)
    assert len(windows) - len(rates) <= 1  # the last samples of the last window are still to come
    assert sum(window.increase for window in windows) == seconds[-1] - 998
    assert all(window.increase.is_integer() for window in windows)
    assert [window.complete for window in windows] == [
        start <= edge and following <= now for edge, following in pairwise(edges)
    ]


def test_the_edges_of_a_range_lie_on_the_lines_to_its_neighbours() -> None:
    counter = CounterSamples(Sample(0, 0), samples((10 * SECOND, 100)), Sample(30 * SECOND, 140))
    span = 5 * SECOND, 20 * SECOND
    [whole] = find_increases([counter], span, span)
    assert (whole.increase, whole.rate) == pytest.approx((100, (50 + 20) / 15))
    [near] = find_increases([counter], span, span, 15 * SECOND)
    assert (near.increase, near.rate) == pytest.approx((100, 10))
    [nothing] = find_increases([counter], span, span, SECOND)
    assert (nothing.increase, nothing.rate) == (0, None)


def test_several_counters_of_a_machine_add_up() -> None:
    spindles = [
        CounterSamples(None, samples((0, 1000), (10 * SECOND, 1010), (20 * SECOND, 1020)), None),
        CounterSamples(None, samples((1, 5), (10 * SECOND + 1, 6), (20 * SECOND + 1, 7)), None),
    ]
    [whole] = find_increases(spindles, (0, 30 * SECOND), (0, 30 * SECOND))
    assert (whole.increase, whole.resets, whole.rate) == pytest.approx((22, 0, 1.1))


def test_windows_divide_the_states_of_a_range() -> None:
    spans = find_spans(Sample(3, "A"), samples((20, "B"), (50, "A"), (55, "B")), 10, 70)
    history = StateHistory(10, 70, Windows((0, 30, 60, 90)), [], spans, [])
    windows = split_states(history, spans)
    assert [(window.start, window.end, window.complete) for window in windows] == [
        (0, 30, False),
        (30, 60, True),
        (60, 90, False),
    ]
    assert [
        [(total.value, total.duration, total.entries) for total in window.states] for window in windows
    ] == [[("A", 10, 0), ("B", 10, 1)], [("B", 25, 1), ("A", 5, 1)], [("B", 10, 0)]]
    assert sum(total.duration for window in windows for total in window.states) == 60
    assert [total.entries for total in sum_states(spans)] == [2, 1]
