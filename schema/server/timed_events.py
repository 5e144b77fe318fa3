"""Events that are counted and timed for Prometheus, whose sums are made when they are read.

Counters and histograms of Prometheus's client take a lock for each number, and check each time whether they
have labels. Every request has several such events, all of them on the event loop.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
BOUNDS = [*(str(float(seconds)) for seconds in SECONDS), "+Inf"]


class Tally:
    """The events with the same labels: how many took up to each of the `SECONDS`, and all their seconds."""

    __slots__ = ("numbers", "seconds")

    def __init__(self) -> None:
        self.numbers, self.seconds = [0] * len(BOUNDS), 0.0


class TimedEvents(Collector):
    """A counter of events with `labels`, and a histogram of their seconds with the first `timed` labels.

    Every combination of labels is kept: whoever adds events bounds their number.
    """

    def __init__(
        self, counter: tuple[str, str], histogram: tuple[str, str], labels: Sequence[str], timed: int
    ) -> None:
        self._counter, self._histogram = counter, histogram
        self._labels, self._timed = labels, timed
        self._tallies: dict[tuple[str, ...], Tally] = {}

    def add(self, labels: tuple[str, ...], seconds: float) -> None:
        """Count one event."""
        tally = self._tallies.get(labels)
        if tally is None:
            tally = self._tallies[labels] = Tally()
        tally.numbers[bisect_left(SECONDS, seconds)] += 1
        tally.seconds += seconds

    def collect(self) -> Iterator[Metric]:
        counter = CounterMetricFamily(*self._counter, labels=self._labels)
        timed: defaultdict[tuple[str, ...], list[Tally]] = defaultdict(list)
        for labels, tally in self._tallies.items():
            counter.add_metric(labels, sum(tally.numbers))
            timed[labels[: self._timed]].append(tally)
        histogram = HistogramMetricFamily(*self._histogram, labels=self._labels[: self._timed])
        for labels, tallies in timed.items():
            numbers = map(sum, zip(*(tally.numbers for tally in tallies), strict=True))
            buckets = list(zip(BOUNDS, accumulate(numbers), strict=True))
            histogram.add_metric(labels, buckets, sum(tally.seconds for tally in tallies))
        yield counter
        yield histogram
