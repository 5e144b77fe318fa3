"""The casts of the schema layer through which the old system wrote services and legacy devices.

Values are cast, unknown fields dropped, empty objects removed: that is what the old system expects to read.
"""

from typing import Any

from stores.contracts.errors import BadUserInput

TRUE = (True, "true", 1, "1", "yes")
FALSE = (False, "false", 0, "0", "no")


def cast_string(value: Any, path: str, *, required: bool = False) -> str | None:
    """A string; numbers and booleans are converted. Raises `BadUserInput` for anything else."""
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            if value != "" or not required:
                return str(value)
        case None if not required:
            return None
    raise BadUserInput(
        f"{path} {'is required' if value in (None, '') else 'must be a string'}.", fields=[path]
    )


def cast_strings(value: Any, path: str) -> list[str | None]:
    """A list of strings; a scalar becomes a list of one item."""
    return [cast_string(item, f"{path}.{i}") for i, item in enumerate(cast_list(value))]


def cast_list(value: Any) -> list[Any]:
    """A list; anything else becomes a list of one item."""
    return value if isinstance(value, list) else [value]


def cast_bool(value: Any, path: str) -> bool | None:
    """A boolean; `TRUE` and `FALSE` list what is converted. Raises `BadUserInput` for anything else."""
    if value is None:
        return None
    if not isinstance(value, dict | list | float):
        if value in TRUE:
            return True
        if value in FALSE:
            return False
    raise BadUserInput(f"{path} must be true or false.", fields=[path])


def drop_empty_objects(value: Any) -> Any:
    """A copy without members that are `{}`, at any depth; None if nothing else is left."""
    match value:
        case dict():
            items = {k: (v, drop_empty_objects(v)) for k, v in value.items()}
            members = {k: new for k, (old, new) in items.items() if old is None or new is not None}
            return members or None
        case list():
            return [{} if isinstance(v, dict) and not v else drop_empty_objects(v) for v in value]
    return value
