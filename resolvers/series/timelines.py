"""What samples of a machine come to over time: the states it was in, and what a counter counted."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from stores.contracts.series import SECOND, Sample, Value


@dataclass(frozen=True, slots=True)
class StateInterval:
    """A state from `start` to `end`, in nanoseconds; `carried_in` where it began before the range."""

    value: Value
    start: int
    end: int
    carried_in: bool

    @property
    def duration(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class StateDuration:
    """How long a state lasted together, in nanoseconds, and its share of the time that is known."""

    value: Value
    duration: int
    share: float


def intervals(
    carried: Sample | None, samples: Sequence[Sample], start: int, stop: int
) -> list[StateInterval]:
    """The states of a range: samples that repeat a state prolong it, the last one lasts to the end."""
    changes: list[tuple[int, Value, bool]] = [] if carried is None else [(start, carried.value, True)]
    for sample in samples:
        if changes and changes[-1][0] == sample.time and not changes[-1][2]:
            changes.pop()  # of several at one time the last one told
        if not changes or changes[-1][1] != sample.value:
            changes.append((sample.time, sample.value, False))
    ends = [time for time, _, _ in changes[1:]] + [stop] * bool(changes)
    return [
        StateInterval(value, time, end, carried_in)
        for (time, value, carried_in), end in zip(changes, ends, strict=True)
        if end > time
    ]


def durations(found: Sequence[StateInterval]) -> list[StateDuration]:
    """Each state's time and share, the longest first."""
    total: dict[Value, int] = {}
    for interval in found:
        total[interval.value] = total.get(interval.value, 0) + interval.duration
    known = sum(total.values())
    ordered = sorted(total.items(), key=lambda each: (-each[1], str(each[0])))
    return [StateDuration(value, duration, duration / known) for value, duration in ordered]


@dataclass(frozen=True, slots=True)
class Count:
    """What a counter counted from `start` to `end` (nanoseconds): its increase, and how often it fell."""

    start: int
    end: int
    increase: float
    resets: int

    @property
    def rate(self) -> float:
        """The increase in a second."""
        return self.increase * SECOND / (self.end - self.start)


def counted(carried: Sample | None, samples: Sequence[Sample], edges: Sequence[int]) -> list[Count]:
    """The increases between `edges`. A value below the one before is a reset: the counter began at 0 again.

    An increase counts where its later sample lies. Samples that are no numbers are passed over.
    """
    increases, resets = [0.0] * (len(edges) - 1), [0] * (len(edges) - 1)
    known = carried.value if carried else None
    for sample in samples:
        if isinstance(sample.value, str):
            continue
        number = bisect_right(edges, sample.time) - 1
        if isinstance(known, int | float):
            fell = sample.value < known
            increases[number] += sample.value if fell else sample.value - known
            resets[number] += fell
        known = sample.value
    return [
        Count(edges[i], edges[i + 1], increase, fallen)
        for i, (increase, fallen) in enumerate(zip(increases, resets, strict=True))
    ]
