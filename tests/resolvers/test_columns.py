"""Columns of one type: a value is in the column of its type, and null in the others."""

from typing import Any

import pytest

from resolvers.series.columns import select_booleans, select_integers, select_numbers, select_strings


@pytest.mark.parametrize(
    ("values", "numbers", "integers", "strings", "booleans"),
    [
        ([], [], [], [], []),
        ([1, None, 2], [1, None, 2], [1, None, 2], [None] * 3, [None] * 3),
        ([0.5, None], [0.5, None], [None] * 2, [None] * 2, [None] * 2),
        ([True, False], [None] * 2, [None] * 2, [None] * 2, [True, False]),
        (["a", None], [None] * 2, [None] * 2, ["a", None], [None] * 2),
        ([1, 0.5, "a", True], [1, 0.5, None, None], [1, None, None, None], [None, None, "a", None],
         [None, None, None, True]),
        ([2**53, 2**53 + 1, 2**60, -(2**64) - 1], [2**53, None, 2**60, None], [2**53, 2**53 + 1, 2**60,
         -(2**64) - 1], [None] * 4, [None] * 4),
        ([None, None], [None] * 2, [None] * 2, [None] * 2, [None] * 2),
    ],
)  # fmt: skip
def test_each_value_is_in_the_column_of_its_type(
    values: list[Any], numbers: Any, integers: Any, strings: Any, booleans: Any
) -> None:
    assert select_numbers(values) == numbers
    assert set(map(type, select_numbers(values))) <= {float, type(None)}  # as the graph shows a Float
    assert select_integers(values) == integers
    assert select_strings(values) == strings
    assert select_booleans(values) == booleans
    assert [type(value) for value in select_booleans(values)] == [type(value) for value in booleans]
