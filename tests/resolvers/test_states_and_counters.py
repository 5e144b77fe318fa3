"""States over time and counters: what was carried in, repeats, resets, and samples of one time."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvers.series.counters import CounterParts, CounterSamples, Increase, find_increases
from resolvers.series.state_totals import find_states, split_states, sum_states
from stores.contracts.counters import CounterRule, split_counter
from stores.contracts.repeats import drop_repeats
from stores.contracts.samples import SECOND, Sample, SampleColumns, Value
from stores.contracts.series_queries import Windows
from tests.randomized import randomized


def samples(*pairs: tuple[int, Value]) -> SampleColumns:
    return SampleColumns.of([Sample(time, value) for time, value in pairs])


def show_spans(*arguments: Any) -> list[tuple[Value, int, int, bool]]:
    spans = find_states(*arguments).list_spans()
    return [(span.value, span.start, span.end, span.carried_in) for span in spans]


def test_a_state_is_carried_in_and_lasts_to_the_end() -> None:
    changes = samples((20, "ACTIVE"), (40, "READY"))
    assert show_spans(Sample(3, "READY"), changes, 10, 60) == [
        ("READY", 10, 20, True),
        ("ACTIVE", 20, 40, False),
        ("READY", 40, 60, False),
    ]
    assert show_spans(Sample(3, "ACTIVE"), changes, 10, 60) == [
        ("ACTIVE", 10, 40, True),
        ("READY", 40, 60, False),
    ]
    assert show_spans(Sample(3, "READY"), samples(), 10, 60) == [("READY", 10, 60, True)]


def test_before_the_first_sample_nothing_is_known() -> None:
    assert show_spans(None, samples((20, True)), 10, 60) == [(True, 20, 60, False)]
    assert show_spans(None, samples(), 10, 60) == []
    assert sum_states([find_states(None, samples(), 10, 60)]) == []


def test_a_sample_at_the_start_ends_what_was_carried_in() -> None:
    assert show_spans(Sample(3, "A"), samples((10, "B")), 10, 60) == [("B", 10, 60, False)]


def test_durations_are_shares_of_what_is_known() -> None:
    totals = sum_states([find_states(None, samples((20, "A"), (50, "B"), (60, "A")), 10, 110)])
    assert [(total.value, total.duration, total.entries) for total in totals] == [("A", 80, 2), ("B", 10, 1)]
    assert sum(total.share for total in totals) == pytest.approx(1)


@randomized(200)
@given(
    st.lists(st.tuples(st.integers(-9, 40), st.sampled_from("ABC")), unique_by=lambda sample: sample[0]),
    st.lists(st.integers(-5, 60), min_size=2, max_size=8, unique=True),
)
def test_each_moment_of_a_window_counts_for_the_state_in_force(
    reports: list[tuple[int, str]], edges: list[int]
) -> None:
    start, stop, windows = 0, 40, Windows(tuple(sorted(edges)))
    changes = drop_repeats(Sample._make(report) for report in sorted(reports))
    before = [sample for sample in changes if sample.time < start]
    within = [sample for sample in changes if start <= sample.time < stop]
    runs = find_states(before[-1] if before else None, SampleColumns.of(within), start, stop)

    def find_state(at: int) -> Value | None:
        return next((sample.value for sample in reversed(changes) if sample.time <= at), None)

    for (begin, end), window in zip(
        pairwise(windows.edges), split_states([runs], windows, 0, 40), strict=True
    ):
        moments = Counter(find_state(at) for at in range(max(begin, start), min(end, stop)))
        entries = Counter(sample.value for sample in within if begin <= sample.time < end)
        assert {total.value: total.duration for total in window.states} == {
            state: count for state, count in moments.items() if state is not None
        }
        assert Counter({total.value: total.entries for total in window.states}) == entries
        assert window.complete == (start <= begin and end <= stop)


def count(
    counters: Sequence[CounterSamples],
    edges: Sequence[int],
    span: tuple[int, int],
    max_gap: int | None = None,
) -> list[Increase]:
    """Return the increases of windows, as the parts of any finer windows tell them."""
    rule = CounterRule(max_gap)
    parts = [CounterParts(c.before, split_counter(c.samples, edges, rule), c.after) for c in counters]
    total, windows = find_increases(parts, edges, span, rule)
    assert total.increase == sum(window.increase or 0 for window in windows)
    assert total.resets == sum(window.resets for window in windows)
    return windows


def test_a_counter_that_falls_began_at_zero_again() -> None:
    counter = CounterSamples(Sample(1, 4), samples((10, 5), (20, 8), (30, 2), (40, 4)), None)
    [whole] = count([counter], (0, 50), (0, 50))
    assert (whole.increase, whole.resets) == (1 + 3 + 2 + 2, 1)
    windows = count([counter], (0, 25, 50), (0, 50))
    assert [(window.increase, window.resets) for window in windows] == [(4, 0), (4, 1)]


def test_the_first_sample_ever_is_no_increase() -> None:
    counter = CounterSamples(None, samples((0, 500), (SECOND, 501)), None)
    [whole] = count([counter], (0, 2 * SECOND), (0, 2 * SECOND))
    assert (whole.increase, whole.rate) == (1, 1)
    [single] = count([CounterSamples(None, samples((5, 500)), None)], (0, 9), (0, 9))
    assert (single.increase, single.rate) == (0, None)


def test_strings_are_passed_over() -> None:
    counter = CounterSamples(Sample(1, "x"), samples((10, 1), (20, "y"), (30, 3)), None)
    [whole] = count([counter], (0, 50), (0, 50))
    assert whole.increase == 2


@pytest.mark.parametrize("every", [7, 60, 900, 3600])
def test_a_counter_that_grows_evenly_has_the_same_rate_in_every_window(every: int) -> None:
    start, now = 1_000 * SECOND, 8_000 * SECOND
    seconds = range(1003, 8000, 5)
    growing = samples(*((second * SECOND, second) for second in seconds))
    counter = CounterSamples(Sample(998 * SECOND, 998), growing, None)
    edges = range(start // (every * SECOND) * every * SECOND, now + every * SECOND, every * SECOND)
    windows = count([counter], edges, (start, now))
    rates = [window.rate for window in windows if window.rate is not None]
    assert rates == pytest.approx([1.0] * len(rates), abs=1e-6)
    assert len(windows) - len(rates) <= 1  # the last samples of the last window are still to come
    increases = [window.increase for window in windows if window.increase is not None]
    assert sum(increases) == seconds[-1] - 998
    assert len(increases) == len(windows)
    assert all(map(float.is_integer, increases))
    assert [window.complete for window in windows] == [
        start <= edge and following <= now for edge, following in pairwise(edges)
    ]


def test_the_edges_of_a_range_lie_on_the_lines_to_its_neighbours() -> None:
    counter = CounterSamples(Sample(0, 0), samples((10 * SECOND, 100)), Sample(30 * SECOND, 140))
    span = 5 * SECOND, 20 * SECOND
    [whole] = count([counter], span, span)
    assert (whole.increase, whole.rate) == pytest.approx((100, (50 + 20) / 15))
    [near] = count([counter], span, span, 15 * SECOND)
    assert (near.increase, near.rate) == pytest.approx((100, 10))
    [nothing] = count([counter], span, span, SECOND)
    assert (nothing.increase, nothing.rate) == (0, None)


def test_several_counters_of_a_machine_add_up() -> None:
    spindles = [
        CounterSamples(None, samples((0, 1000), (10 * SECOND, 1010), (20 * SECOND, 1020)), None),
        CounterSamples(None, samples((1, 5), (10 * SECOND + 1, 6), (20 * SECOND + 1, 7)), None),
    ]
    [whole] = count(spindles, (0, 30 * SECOND), (0, 30 * SECOND))
    assert (whole.increase, whole.resets, whole.rate) == pytest.approx((22, 0, 1.1))


@randomized(100)
@given(
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 9)), max_size=30, unique_by=lambda pair: pair[0]),
    st.integers(1, 40),
    st.one_of(st.none(), st.integers(1, 30)),
    st.tuples(st.integers(0, 60), st.integers(61, 99)),
)
def test_windows_of_any_width_divide_the_same_steps(
    pairs: list[tuple[int, int]], width: int, max_gap: int | None, span: tuple[int, int]
) -> None:
    ordered, (start, stop) = samples(*sorted(pairs)), span
    within = [sample for sample in ordered if start <= sample.time < stop]
    before = next((sample for sample in reversed(ordered) if sample.time < start), None)
    after = next((sample for sample in ordered if sample.time >= stop), None)
    counter, edges = CounterSamples(before, within, after), range(0, 99 + width, width)
    steps = [step for step in counter.list_steps() if max_gap is None or step.later - step.earlier <= max_gap]
    for window in count([counter], edges, span, max_gap):
        inside = [
            step for step in steps if window.start <= step.later < window.end and start <= step.later < stop
        ]
        assert window.increase == sum(step.increase for step in inside)
        assert window.resets == sum(step.is_reset for step in inside)
        slopes = [
            (step.increase / (step.later - step.earlier), high - low)
            for step in steps
            for low in [max(step.earlier, window.start, start)]
            for high in [min(step.later, window.end, stop)]
            if low < high
        ]
        covered = sum(duration for _, duration in slopes)
        rate = sum(slope * duration for slope, duration in slopes) / covered * SECOND if covered else None
        assert window.rate == pytest.approx(rate)


def test_windows_divide_the_states_of_a_range() -> None:
    runs = find_states(Sample(3, "A"), samples((20, "B"), (50, "A"), (55, "B")), 10, 70)
    windows = split_states([runs], Windows((0, 30, 60, 90)), 10, 70)
    assert [(window.start, window.end, window.complete) for window in windows] == [
        (0, 30, False),
        (30, 60, True),
        (60, 90, False),
    ]
    assert [
        [(total.value, total.duration, total.entries) for total in window.states] for window in windows
    ] == [[("A", 10, 0), ("B", 10, 1)], [("B", 25, 1), ("A", 5, 1)], [("B", 10, 0)]]
    assert sum(total.duration for window in windows for total in window.states) == 60
    assert [total.entries for total in sum_states([runs])] == [2, 1]


def test_a_rate_that_no_double_holds_is_not_known() -> None:
    edges = (0, 2 * SECOND)
    samples = [Sample(0, 0.0), Sample(SECOND // 1000, 1e308)]
    parts = CounterParts(None, split_counter(samples, edges, CounterRule()), None)
    total, [window] = find_increases([parts], edges, edges, CounterRule())
    assert (total.increase, total.rate, window.rate) == (1e308, None, None)
