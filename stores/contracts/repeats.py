"""The samples of series without those that repeat the value of the one before."""

from collections.abc import Iterable

from stores.contracts.samples import END_OF_TIME, ByMachine, ByTags, Sample, SampleColumns


def drop_repeats(samples: Iterable[Sample], period: int | None = None) -> list[Sample]:
    """Return the first sample (of each period), and every sample whose value differs from the one before."""
    changes: list[Sample] = []
    end = END_OF_TIME
    for sample in samples:
        if not changes or changes[-1].value != sample.value or sample.time >= end:
            changes.append(sample)
            if period is not None:
                end = (sample.time // period + 1) * period
    return changes


def drop_all_repeats(
    points: ByMachine[ByTags[list[Sample]]], period: int | None = None
) -> ByMachine[ByTags[SampleColumns]]:
    """Return the changes of each series, whose samples are sorted by time; see `SeriesDatabase.changes`."""
    changes: ByMachine[ByTags[SampleColumns]] = {}
    for machine, by_field in points.items():
        for field, by_tags in by_field.items():
            changes.setdefault(machine, {})[field] = {
                tags: SampleColumns.of(drop_repeats(samples, period)) for tags, samples in by_tags.items()
            }
    return changes
