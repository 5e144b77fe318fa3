"""The samples next to a range, for stores that find those before it and those after it apart."""

from stores.contracts.samples import ByMachine, ByTags, Neighbours, Sample


def join_neighbours(
    before: ByMachine[ByTags[Sample]], after: ByMachine[ByTags[Sample]] | None = None
) -> ByMachine[ByTags[Neighbours]]:
    """Return the neighbours of a range from the samples before and after it."""
    joined: ByMachine[ByTags[Neighbours]] = {}
    for side, samples in (("before", before), ("after", after or {})):
        for machine, by_field in samples.items():
            for field, by_tags in by_field.items():
                target = joined.setdefault(machine, {}).setdefault(field, {})
                for tags, sample in by_tags.items():
                    target[tags] = target.get(tags, Neighbours())._replace(**{side: sample})
    return joined
