"""Timed events are what a counter and a histogram of Prometheus's own client would be."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram

from schema.server.timed_events import SECONDS, TimedEvents
from tests.randomized import randomized

LABELS = st.tuples(
    st.sampled_from(["documents", "series"]), st.sampled_from(["find", "count"]), st.just("OK")
)
DURATIONS = st.sampled_from([0.0, *SECONDS, 31.0]) | st.floats(0, 100).map(lambda seconds: round(seconds, 3))


def read_samples(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sorted(f"{name}={value}" for name, value in sample.labels.items())): round(
            sample.value, 6
        )
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def count_by_prometheus(events: Iterable[tuple[tuple[str, str, str], float]]) -> CollectorRegistry:
    registry = CollectorRegistry()
    counter = Counter("calls", "Calls.", ["store", "kind", "code"], registry=registry)
    histogram = Histogram("call_seconds", "Seconds.", ["store", "kind"], buckets=SECONDS, registry=registry)
    for labels, seconds in events:
        counter.labels(*labels).inc()
        histogram.labels(*labels[:2]).observe(seconds)
    return registry


@randomized(50)
@given(st.lists(st.tuples(LABELS, DURATIONS)))
def test_events_are_counted_as_by_prometheus(events: list[tuple[tuple[str, str, str], float]]) -> None:
    events = [*events, (("documents", "find", "UNAVAILABLE"), 5.0)]
    names = ("calls", "Calls."), ("call_seconds", "Seconds.")
    timed = TimedEvents(*names, ["store", "kind", "code"], timed=2)
    for labels, seconds in events:
        timed.add(labels, seconds)
    registry = CollectorRegistry()
    registry.register(timed)
    assert read_samples(registry) == read_samples(count_by_prometheus(events))
