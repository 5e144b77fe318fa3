"""Hints about fields whose resolvers return `Hinted`: the value is answered, and the hint gets the path."""

from typing import Any

from resolvers.hints import Hinted
from schema.engine.fields import Info


def show_hints(info: Info, value: Any) -> Any:
    """Return the value that a field has in the answer, and note its hints under the field's path.

    A plan knows no path while it resolves a field: it gets `Hinted` itself.
    """
    path = info._raw_info.path
    if not isinstance(value, Hinted) or path is None:
        return value
    info.context.hints.add(path.as_list(), value.absences)
    return value.value
