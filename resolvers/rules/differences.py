"""What differs between two documents, as paths with the values before and after. Secrets are masked."""

from collections.abc import Iterator
from typing import Any

from stores.contracts.changes import is_bson_equal
from stores.contracts.documents import Document, Path
from stores.entities.secrets import SecretRules

MAX_PATHS = 100
MAX_VALUE_LENGTH = 2_000  # characters of a value as Python writes it


def list_differences(before: Document | None, after: Document | None, rules: SecretRules) -> list[Document]:
    """The changed paths in the order of the documents: `{path, before, after, isTruncated}`.

    A value that does not exist is null. A secret is a mask, before and after. A value that is too long is
    null, and `isTruncated` is true. If there are too many paths, only the top-level keys are compared.
    """
    if before is not None and after is not None:  # what is equal need not be masked
        changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        before, after = ({key: d[key] for key in changed if key in d} for d in (before, after))
    masked = [None if document is None else rules.mask(document) for document in (before, after)]
    for max_depth in (None, 1):
        differences = list(_walk(before, after, masked[0], masked[1], (), max_depth))
        if len(differences) <= MAX_PATHS:
            break
    return differences[:MAX_PATHS]


def _walk(
    before: Any, after: Any, masked_before: Any, masked_after: Any, path: Path, max_depth: int | None
) -> Iterator[Document]:
    if type(before) is type(after) and is_bson_equal(before, after):
        return
    values = [value for value in (before, after) if value is not None]
    is_deep = max_depth is not None and len(path) == max_depth
    if not is_deep and values and all(isinstance(value, dict) and (value or not path) for value in values):
        for key in dict.fromkeys(key for value in values for key in value):
            yield from _walk(
                _get_member(before, key),
                _get_member(after, key),
                _get_member(masked_before, key),
                _get_member(masked_after, key),
                (*path, key),
                max_depth,
            )
        return
    shown = [_shorten(masked_before), _shorten(masked_after)]
    yield {
        "path": ".".join(path),
        "before": shown[0][0],
        "after": shown[1][0],
        "isTruncated": shown[0][1] or shown[1][1],
    }


def _get_member(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _shorten(value: Any) -> tuple[Any, bool]:
    """A value, or None if it is too long, and whether it is."""
    if isinstance(value, str | bytes | list | dict) and len(str(value)) > MAX_VALUE_LENGTH:
        return None, True
    return value, False
