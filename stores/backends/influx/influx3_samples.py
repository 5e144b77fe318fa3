"""The samples of series in the rows of InfluxDB 3."""

from collections.abc import Mapping, Sequence
from typing import Any

from stores.backends.influx.tag_sets import read_tags
from stores.backends.influx.values import CHECK, check_integer
from stores.contracts.samples import ByMachine, ByTags, Kind, Sample


def collect_samples(
    rows: Sequence[Mapping[str, Any]], kinds: Mapping[str, Kind], tags: Sequence[str]
) -> tuple[ByMachine[ByTags[list[Sample]]], int]:
    """Return the samples of each series, oldest first, and how many there are altogether."""
    points: ByMachine[ByTags[list[Sample]]] = {}
    count = 0
    all_tags = [read_tags(row, tags) for row in rows] if tags else [()] * len(rows)
    for i, (name, kind) in enumerate(kinds.items()):
        value_key, check = f"v{i}", CHECK[kind]
        for row, row_tags in zip(rows, all_tags, strict=True):
            value = row.get(value_key)
            if value is not None:
                count += 1
                by_tags = points.setdefault(row["m"], {}).setdefault(name, {})
                samples = by_tags.setdefault(row_tags, [])
                samples.append(Sample(check_integer(row["t"]), check(value)))
    for by_field in points.values():
        for by_tags in by_field.values():
            for samples in by_tags.values():
                samples.sort()
    return points, count
