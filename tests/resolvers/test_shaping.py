"""Fill invents nothing across a longer hole; thinning keeps every peak."""

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvers.series.shaping import FillMode, FillRule, arrange_cells, fill_gaps, reduce_points
from stores.contracts.errors import BadUserInput, LimitExceeded
from stores.contracts.samples import Cell
from stores.contracts.series_queries import Windows

EDGES = (0, 10, 20, 30, 40, 50, 60)
CELLS = [(1, 1.0), (4, 4.0)]


@pytest.mark.parametrize(
    ("fill", "values"),
    [
        (FillRule("null"), [None, 1.0, None, None, 4.0, None]),
        (FillRule("previous"), [None, 1.0, 1.0, 1.0, 4.0, 4.0]),
        (FillRule("linear"), [None, 1.0, 2.0, 3.0, 4.0, None]),
        (FillRule("value", 0), [0, 1.0, 0, 0, 4.0, 0]),
        (FillRule("previous", max_gap=29), [None, 1.0, None, None, 4.0, 4.0]),
        (FillRule("linear", max_gap=30), [None, 1.0, 2.0, 3.0, 4.0, None]),
        (FillRule("value", 0, max_gap=20), [0, 1.0, None, None, 4.0, 0]),
    ],
)
def test_a_fill_stands_in_holes_that_are_not_too_long(fill: FillRule, values: list[Any]) -> None:
    assert fill_gaps(CELLS, EDGES, fill) == (list(EDGES[:-1]), values)


def test_without_a_fill_empty_windows_are_left_out() -> None:
    assert fill_gaps(CELLS, EDGES, FillRule()) == ([10, 40], [1.0, 4.0])


def test_a_sum_that_no_double_holds_is_null() -> None:
    cells: list[Cell] = [(0, 1.5), (1, math.inf), (3, math.nan)]
    windows = Windows((0, 1, 2, 3, 4))
    assert arrange_cells(cells, windows, FillRule()).values == [1.5, None, None]
    assert arrange_cells(cells, windows, FillRule("null")).values == [1.5, None, None, None]


def test_texts_have_no_line_between_them() -> None:
    assert fill_gaps([(0, "a"), (2, "b")], EDGES[:4], FillRule("linear"))[1] == ["a", None, "b"]


@pytest.mark.parametrize("mode", ["none", "previous"])
def test_a_fill_value_without_its_mode_is_refused(mode: FillMode) -> None:
    with pytest.raises(BadUserInput):
        FillRule(mode, 1)
    with pytest.raises(BadUserInput):
        FillRule("value")
    with pytest.raises(BadUserInput):
        FillRule(mode, max_gap=0)


def test_a_spike_of_one_sample_in_a_million_survives() -> None:
    values: list[Any] = [math.sin(i / 1000) for i in range(1_000_000)]
    index = random.Random(7).randrange(1_000_000)
    values[index] = 99.0
    times, stored = reduce_points(list(range(1_000_000)), values, 1000)
    assert len(times) <= 1000
    assert (index, 99.0) in zip(times, stored, strict=True)


@given(st.lists(st.one_of(st.none(), st.integers(-9, 9), st.floats(-9, 9)), max_size=200), st.integers(4, 40))
def test_what_is_left_is_a_part_with_the_ends_and_the_extremes(values: list[Any], most: int) -> None:
    times, stored = reduce_points(list(range(len(values))), values, most)
    assert len(times) <= max(most, 0)
    assert times == sorted(set(times))
    assert stored == [values[i] for i in times]
    numbers = [value for value in values if value is not None]
    if len(values) > 1:
        assert times[0] == 0
        assert times[-1] == len(values) - 1
    if numbers and most >= 5:
        left = [value for value in stored if value is not None]
        assert (min(left), max(left)) == (min(numbers), max(numbers))
        assert (None in stored) == (None in values)


def test_thinning_preserves_the_changes_of_states() -> None:
    values: list[Any] = ["off"] * 50 + ["on"] * 50
    assert reduce_points(list(range(100)), values, 10) == ([0, 50], ["off", "on"])
    with pytest.raises(LimitExceeded):
        reduce_points(list(range(100)), ["a", "b"] * 50, 10)


def test_too_few_points_are_refused() -> None:
    with pytest.raises(BadUserInput):
        reduce_points([1], [1], 3)
