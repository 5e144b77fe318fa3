"""Spans of time: from and until, in nanoseconds, in order and without overlaps."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

Spans: TypeAlias = Sequence[tuple[int, int]]


def unite_spans(spans: Iterable[tuple[int, int]]) -> Spans:
    """Return the time that is in at least one of the spans, which may overlap."""
    united: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if united and start <= united[-1][1]:
            united[-1] = united[-1][0], max(end, united[-1][1])
        else:
            united.append((start, end))
    return united


def intersect_spans(spans: Spans, others: Spans) -> Spans:
    """Return the time that is in both."""
    common: list[tuple[int, int]] = []
    index = other_index = 0
    while index < len(spans) and other_index < len(others):
        (start, end), (other_start, other_end) = spans[index], others[other_index]
        first = start if start > other_start else other_start
        last = end if end < other_end else other_end
        if first < last:
            common.append((first, last))
        if end < other_end:
            index += 1
        else:
            other_index += 1
    return common


def measure_spans(spans: Spans, edges: Sequence[int]) -> list[int]:
    """Return how much of the spans lies in each window; none of them begins before the first edge."""
    durations = [0] * (len(edges) - 1)
    index = 0
    for start, end in spans:
        while index < len(durations) and edges[index + 1] <= start:
            index += 1
        rest = start
        while index < len(durations) and edges[index + 1] < end:
            durations[index] += edges[index + 1] - rest
            index, rest = index + 1, edges[index + 1]
        if index < len(durations):
            durations[index] += end - rest
    return durations
