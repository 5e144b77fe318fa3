"""Points and windows for the tests of the time-series stores."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from stores.contracts.samples import MACHINE, SECOND, Point, Sample, Tags, Value
from stores.contracts.series_queries import Windows

MINUTE = 60 * SECOND
T = int(datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()) * SECOND
HOSTILE = [
    "O'Brien", 'a"b', "back\\slash", "x' OR '1'='1", '" or true or "', "$m0", "${x}", "semi;colon--", "ü😀",
    "per%cent", "with space", "a,b", "a=b",
]  # fmt: skip


def point(at: int, machine: str | None = "M1", measurement: str = "state", **values: Value) -> Point:
    """A point; a value whose name starts with `tag_` is a tag."""
    tags = {name.removeprefix("tag_"): str(v) for name, v in values.items() if name.startswith("tag_")}
    if machine is not None:
        tags[MACHINE] = machine
    fields = {name: v for name, v in values.items() if not name.startswith("tag_")}
    return Point(measurement, tuple(sorted(tags.items())), fields, at)


def minutes(start: int, stop: int, step: int = MINUTE) -> Windows:
    edges = tuple(range(start // step * step, stop + step, step))
    return Windows(edges, step)


def count_samples(series: Mapping[str, Mapping[str, Mapping[Tags, Sequence[Sample]]]]) -> int:
    by_field = (by_tags for fields in series.values() for by_tags in fields.values())
    return sum(len(samples) for by_tags in by_field for samples in by_tags.values())
