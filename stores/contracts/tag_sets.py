"""Tag sets: parts of them."""

from collections.abc import Sequence

from stores.contracts.samples import Tags


def choose_tags(tags: Tags, names: Sequence[str]) -> Tags:
    """Return those of the tags that have one of the names."""
    return tuple(tag for tag in tags if tag[0] in names)
