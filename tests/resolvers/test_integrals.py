"""Integrals and means over time from the embedded store, against sums of fractions."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import count, pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loaders.readings import Readings
from resolvers.limits import Limits
from resolvers.series.groups import FieldReader
from resolvers.series.integrals import Extent, TimeFunction, TimeWeighting
from resolvers.series.tag_sets import TagSelection, to_tags
from resolvers.series.windows import WindowRule, make_windows
from stores.backends.sqlite.series import SqliteSeriesStore
from stores.contracts.areas import AreaRule, Signal
from stores.contracts.samples import MACHINE, SECOND, Point, Sample, Tags, Value
from stores.contracts.series_queries import Windows
from tests.randomized import randomized
from tests.resolvers.test_ranges import at

HOUR = 3600 * SECOND
LIMITS = Limits()
STARTS = [at("2026-03-28T00:00:00"), at("2026-10-24T12:00:00.000000007"), at("1969-12-31T00:00:00")]
RULES = [
    WindowRule(duration=HOUR // 2),
    WindowRule(duration=7 * HOUR, offset=HOUR + 1),
    WindowRule(unit="hour"),
    WindowRule(unit="day"),
]
machines = count()


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def store(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteSeriesStore]:
    store = SqliteSeriesStore(tmp_path_factory.mktemp("integrals") / "series.db")
    yield store
    runner.run(store.close())


def list_pieces(
    samples: list[Sample], rule: AreaRule, now: int
) -> Iterator[tuple[int, int, Fraction, Fraction]]:
    """Yield where a series is known: from when to when, and its values at both ends."""
    samples = [sample for sample in samples if sample.time <= now]
    if rule.signal == "step" and samples:
        samples = [*samples, Sample(now, 0)]
    for earlier, later in pairwise(samples):
        if later.time > earlier.time and (rule.max_gap is None or later.time - earlier.time <= rule.max_gap):
            first = Fraction(earlier.value)
            last = first if rule.signal == "step" else Fraction(later.value)
            yield earlier.time, later.time, first, last


def integrate(samples: list[Sample], rule: AreaRule, now: int, start: int, stop: int) -> tuple[Fraction, int]:
    """Return the integral of a series from `start` to `stop` in value-seconds, and the time that is known."""
    total, covered = Fraction(0), 0
    for begin, end, first, last in list_pieces(samples, rule, now):
        low, high = max(begin, start), min(end, stop)
        if low < high:
            slope = (last - first) / (end - begin)
            total += (first + slope * (Fraction(low + high, 2) - begin)) * (high - low)
            covered += high - low
    return total / SECOND, covered


def draw_samples(random: Random, start: int, draw: Callable[[], Value]) -> list[Sample]:
    """Return samples from some days before a time to some days after it, with holes of hours."""
    time = start - random.randrange(60 * HOUR)
    samples: list[Sample] = []
    while time < start + 60 * HOUR and len(samples) < 400:
        samples.append(Sample(time, draw()))
        minute = 5 * SECOND * random.randrange(1, 900)
        time += random.choice((1, SECOND, minute, 9 * HOUR * random.randrange(1, 4)))
    return samples


def draw_series(random: Random, start: int) -> dict[Tags, list[Sample]]:
    """Return the samples of one to three tag sets; their values are of one kind."""
    draw: Callable[[], Value] = random.choice(
        (lambda: random.uniform(-1e3, 1e3), lambda: random.randint(0, 10**12), lambda: random.random() < 0.5)
    )
    all_tags = [(), (("spindle", "1"),), (("spindle", "2"),)][: random.randrange(1, 4)]
    return {tags: draw_samples(random, start, draw) for tags in all_tags}


def draw_weighting(random: Random) -> TimeWeighting:
    max_gap = random.choice((None, 1, 10 * 60 * SECOND, 9 * HOUR, 18 * HOUR))
    signal: Signal = random.choice(("step", "linear"))
    function: TimeFunction = random.choice(("integral", "time_weighted_mean"))
    return TimeWeighting(function, AreaRule(signal, max_gap), random.choice((SECOND, HOUR)))


def find_cells(
    chosen: Sequence[list[Sample]], windows: Windows, extent: Extent, weighting: TimeWeighting
) -> dict[int, float]:
    """Return the expected value of each window of some series together."""
    expected = {}
    for index, (edge, next_edge) in enumerate(pairwise(windows.edges)):
        start, stop = max(edge, extent.start), min(next_edge, extent.stop, extent.now)
        sums = [integrate(samples, weighting.rule, extent.now, start, stop) for samples in chosen]
        covered = sum(duration for _, duration in sums)
        if covered:
            divisor = weighting.per if weighting.function == "integral" else covered
            expected[index] = float(sum((area for area, _ in sums), Fraction(0)) * SECOND / divisor)
    return expected


@randomized(40)
@given(st.integers(0, 2**32 - 1))
def test_integrals_are_those_of_fractions(
    runner: asyncio.Runner, store: SqliteSeriesStore, seed: int
) -> None:
    random = Random(seed)
    machine, base = f"M{next(machines)}", random.choice(STARTS)
    all_samples, weighting = draw_series(random, base), draw_weighting(random)
    points = [
        Point("m", (*sorted((*tags, (MACHINE, machine))),), {"v": sample.value}, sample.time)
        for tags, samples in all_samples.items()
        for sample in samples
    ]
    database = f"of {type(points[0].fields['v']).__name__}"
    assert not any(runner.run(store.write(database, points)))
    start = base + random.randrange(-HOUR, HOUR)
    stop = start + random.randrange(1, 50 * HOUR)
    now = random.choice((stop + HOUR, stop - 1, random.randrange(start, stop), base + 90 * HOUR))
    zone = random.choice(("Europe/Berlin", "Asia/Kathmandu"))
    windows = make_windows(start, stop, random.choice(RULES), zone, LIMITS)
    readings = Readings(store.database(database), 10**6)
    reader = FieldReader(readings, machine, "m", "v", start, stop, TagSelection(by=("spindle",)))
    result = runner.run(reader.read_over_time(windows, weighting, now))

    def expect(*chosen: list[Sample]) -> Any:
        cells = find_cells(chosen, windows, Extent(start, stop, now), weighting)
        scale = max(abs(float(sample.value)) for samples in chosen for sample in samples)
        return pytest.approx(cells, rel=1e-9, abs=scale * 1e-9) if cells else {}

    assert dict(result.total) == expect(*all_samples.values())
    groups = {to_tags(group): dict(cells) for group, cells in result.groups.items()}
    expected = {tags: expect(samples) for tags, samples in all_samples.items()}
    assert groups == {tags: cells for tags, cells in expected.items() if cells != {}}
