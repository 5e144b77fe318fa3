"""The schema layer that the two collections of the default database were written through.

Values are cast, unknown fields dropped, and empty objects vanish: the old system finds what it expects.
"""

from typing import Any

from stores.contracts.errors import BadUserInput

TRUE = (True, "true", 1, "1", "yes")
FALSE = (False, "false", 0, "0", "no")


def cast_string(value: Any, path: str, *, required: bool = False) -> str | None:
    """A text; numbers and booleans become one."""
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            if value != "" or not required:
                return str(value)
        case None if not required:
            return None
    raise BadUserInput(f"{path} {'is required' if value in (None, '') else 'must be a text'}", fields=[path])


def cast_strings(value: Any, path: str) -> list[str | None]:
    """A list of texts; a scalar becomes a list of one."""
    return [cast_string(item, f"{path}.{i}") for i, item in enumerate(cast_list(value))]


def cast_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def cast_bool(value: Any, path: str) -> bool | None:
    if value is None:
        return None
    if not isinstance(value, dict | list | float):
        if value in TRUE:
            return True
        if value in FALSE:
            return False
    raise BadUserInput(f"{path} must be true or false", fields=[path])


def drop_empty_objects(value: Any) -> Any:
    """The value without members that are `{}`, at any depth; None for one that is nothing else."""
    match value:
        case dict():
            items = {k: (v, drop_empty_objects(v)) for k, v in value.items()}
            kept = {k: new for k, (old, new) in items.items() if old is None or new is not None}
            return kept or None
        case list():
            return [{} if isinstance(v, dict) and not v else drop_empty_objects(v) for v in value]
    return value
