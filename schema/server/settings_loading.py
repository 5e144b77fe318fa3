"""The settings of a file and of the environment. Every fault names the file and line, or the variable."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from schema.server.settings import Settings
from schema.server.yaml_file import KeyPath, SettingsError, read_yaml

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

PREFIX = "SYNC_GATEWAY_"
# The variables of the original server and the settings that they became. ORGANIZATION_ID is accepted without
# an effect: the path of a request names its organization.
ORIGINAL_VARIABLES: dict[str, KeyPath] = {
    "PORT": ("server", "port"),
    "MONGODB_URI": ("documents", "url"),
    "CORS_ALLOWED_ORIGIN": ("server", "cors_allowed_origins"),
    "INFLUXDB_HOST": ("series", "url"),
    "INFLUXDB_TOKEN": ("series", "token"),
    "INFLUXDB_DATABASE": ("series", "database"),
}
ORIGINAL_ORIGINS = "CORS_ALLOWED_ORIGIN"


def load_settings(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a file, overridden by the environment.

    Without a path the file is `config.yaml` of the working directory, if it exists. Raises `SettingsError`.
    """
    default = Path("config.yaml")
    path = path or (default if default.exists() else None)
    values, locations = read_yaml(path) if path else ({}, {})
    for variable, key_path in _find_variables(environ).items():
        _set(values, key_path, _parse(variable, environ[variable], key_path))
        locations[key_path] = f"environment: {variable}"
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError("\n".join(_describe(e, locations, path) for e in error.errors())) from None


def list_warnings(environ: Mapping[str, str] = os.environ) -> list[str]:
    """What the operator should know of settings that are accepted but do not mean what they say."""
    if "*" not in map(str.strip, environ.get(ORIGINAL_ORIGINS, "").split(",")):
        return []
    return [
        f"{ORIGINAL_ORIGINS}=* allows no other origin: it would let every web page act for its reader."
        " A console on the gateway's own origin, or behind a proxy of its own, needs no entry."
        f" For a console on another origin, write that origin: {ORIGINAL_ORIGINS}=https://console.example"
    ]


def list_variables_of(key_path: KeyPath) -> list[str]:
    """The environment variables of a setting: the gateway's own, then the original server's, if any."""
    own = PREFIX + "__".join(key_path).upper()
    return [own, *(name for name, original in ORIGINAL_VARIABLES.items() if original == key_path)]


def _find_variables(environ: Mapping[str, str]) -> dict[str, KeyPath]:
    """The variables that are set, and their settings. The gateway's own variables come last and win."""
    variables = {name: key_path for name, key_path in ORIGINAL_VARIABLES.items() if environ.get(name)}
    for name in sorted(environ):
        if name.startswith(PREFIX):
            variables[name] = tuple(name.removeprefix(PREFIX).lower().split("__"))
    return variables


def _parse(variable: str, text: str, key_path: KeyPath) -> Any:
    """The value of a variable. Raises `SettingsError` for JSON that is not valid.

    Lists and mappings are JSON. A list of simple values may also be separated by commas.
    """
    text = text.strip()
    container = _find_container(key_path)
    if container is not None and text.startswith(("[", "{")):
        try:
            return json.loads(text)
        except ValueError as error:
            raise SettingsError(f"environment: {variable}: not valid JSON: {error}") from None
    if container is tuple:
        items = [item.strip() for item in text.split(",")]
        # "*" in the original's variable means what is safe: no other origin. `list_warnings` says so.
        return [item for item in items if item and (item != "*" or variable != ORIGINAL_ORIGINS)]
    return None if text.lower() in ("null", "") else text


def _find_container(key_path: KeyPath) -> type | None:
    """`tuple` or `dict` for a setting that is a list or a mapping; None for others and unknown ones."""
    section: Any = Settings
    for name in key_path[:-1]:
        field = section.model_fields.get(name)
        section = field.annotation if field else None
        if not (isinstance(section, type) and issubclass(section, BaseModel)):
            return None
    field = section.model_fields.get(key_path[-1])
    types = (field.annotation, *get_args(field.annotation)) if field else ()
    return next((origin for type_ in types if (origin := get_origin(type_)) in (tuple, dict)), None)


def _set(values: dict[str, Any], key_path: KeyPath, value: Any) -> None:
    """Set a nested value, unless the file has something else than a mapping above it, which is a fault."""
    for name in key_path[:-1]:
        if values.get(name) is None:
            values[name] = {}
        values = values[name]
        if not isinstance(values, dict):
            return
    values[key_path[-1]] = value


def _describe(error: "ErrorDetails", locations: Mapping[KeyPath, str], path: Path | None) -> str:
    """A line such as `config.yaml:4: server.port: ...`. It does not repeat the value, which may be secret."""
    key_path = tuple(str(part) for part in error["loc"])
    parents = [key_path[:length] for length in range(len(key_path), 0, -1)]
    location = next((locations[parent] for parent in parents if parent in locations), path)
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = "there is no such setting; docs/settings.md lists all settings"
    return f"{location}: {'.'.join(key_path)}: {message[:1].lower()}{message[1:]}"
