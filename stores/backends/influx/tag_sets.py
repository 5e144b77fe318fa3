"""Series by their tags: the columns of tags in statements and rows, and the samples next to a range."""

from collections.abc import Mapping, Sequence
from typing import Any

from stores.backends.influx.sql_values import quote
from stores.backends.influx.values import check_string
from stores.contracts.samples import ByMachine, ByTags, Cell, Tags, Value


def name_tags(tags: Sequence[str]) -> list[str]:
    """Return the columns of tags in a statement."""
    return [f"{quote(tag)} AS g{i}" for i, tag in enumerate(tags)]


def read_tags(row: Mapping[str, Any], tags: Sequence[str]) -> Tags:
    """Return the tags of a row of such columns; those that its series does not have are missing."""
    values = [(tag, row.get(f"g{i}")) for i, tag in enumerate(tags)]
    return tuple((tag, check_string(value)) for tag, value in values if value is not None)


def sort_cells(cells: ByMachine[ByTags[dict[int, Value]]]) -> ByMachine[ByTags[list[Cell]]]:
    """Return the values by index of the window as lists, in the order of the windows."""
    return {
        machine: {
            field: {tags: sorted(by_index.items()) for tags, by_index in by_tags.items()}
            for field, by_tags in by_field.items()
        }
        for machine, by_field in cells.items()
    }
