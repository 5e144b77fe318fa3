"""Spans of time, compared with sets of moments."""

from itertools import pairwise

from hypothesis import given, strategies

from resolvers.series.spans import Spans, intersect_spans, measure_spans, unite_spans
from tests.randomized import randomized

MOMENTS = 40
SPANS = strategies.lists(
    strategies.tuples(strategies.integers(0, MOMENTS), strategies.integers(1, 9)).map(
        lambda span: (span[0], span[0] + span[1])
    ),
    max_size=6,
)
EDGES = strategies.sets(strategies.integers(1, MOMENTS + 20), min_size=1).map(lambda cuts: [0, *sorted(cuts)])


def moments(spans: Spans) -> set[int]:
    return {moment for start, end in spans for moment in range(start, end)}


@randomized(50)
@given(SPANS, SPANS, EDGES)
def test_spans_are_sets_of_moments(
    some: list[tuple[int, int]], others: list[tuple[int, int]], edges: list[int]
) -> None:
    united, other = unite_spans(some), unite_spans(others)
    assert moments(united) == moments(some)
    assert all(a < b < c < d for (a, b), (c, d) in pairwise(united))
    common = intersect_spans(united, other)
    assert moments(common) == moments(some) & moments(others)
    assert sum(end - start for start, end in common) == len(moments(common))
    measured = measure_spans(united, edges)
    assert measured == [len(moments(some) & set(range(*window))) for window in pairwise(edges)]
