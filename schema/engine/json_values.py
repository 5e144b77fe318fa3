"""Measures of JSON values, level by level, in a time that is linear in the value and small for long lists."""

from collections.abc import Iterable
from typing import Any

CONTAINERS = (dict, list)


def is_deeper(value: Any, depth: int) -> bool:
    """Whether a JSON value has more than `depth` levels of lists and objects."""
    level = [value] if type(value) in CONTAINERS else []
    for _ in range(depth):
        level = [item for container in level for item in _list_containers(container)]
        if not level:
            return False
    return bool(level)


def has_more_values(value: Any, maximum: int, *, per_object: int) -> bool:
    """Whether there are more than `maximum` values in a JSON value; an object counts as `per_object`."""
    count, level = 0, [value] if type(value) in CONTAINERS else []
    while level:
        count += sum(map(len, level))
        count += per_object * sum(type(container) is dict for container in level)
        if count > maximum:  # before the next level is looked for, which may be long
            return True
        level = [item for container in level for item in _list_containers(container)]
    return False


def _list_containers(container: dict[str, Any] | list[Any]) -> Iterable[Any]:
    """The lists and objects directly in a list or an object. Long lists of strings or numbers are common."""
    items = container.values() if type(container) is dict else container
    if set(map(type, items)).isdisjoint(CONTAINERS):
        return ()
    return [item for item in items if type(item) in CONTAINERS]
