"""The samples of series without those that repeat the value of the one before."""

from collections.abc import Iterable

from stores.contracts.samples import ByMachine, ByTags, Sample


def drop_repeats(samples: Iterable[Sample]) -> list[Sample]:
    """Return the first sample, and every sample whose value differs from the one before."""
    changes: list[Sample] = []
    for sample in samples:
        if not changes or changes[-1].value != sample.value:
            changes.append(sample)
    return changes


def drop_all_repeats(points: ByMachine[ByTags[list[Sample]]]) -> ByMachine[ByTags[list[Sample]]]:
    """Return the changes of each series, whose samples are sorted by time."""
    return {
        machine: {
            field: {tags: drop_repeats(samples) for tags, samples in by_tags.items()}
            for field, by_tags in by_field.items()
        }
        for machine, by_field in points.items()
    }
