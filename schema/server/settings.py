"""The settings: config.yaml and the environment as typed values, with every fault named by file and line."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

Place = tuple[str, ...]
PREFIX = "SYNC_GATEWAY_"
MAX_BYTES = 1024 * 1024
# The original's variables, and the settings that they are now. ORGANIZATION_ID is taken and of no effect:
# the path of a request names its organization.
ORIGINAL: dict[str, Place] = {
    "PORT": ("server", "port"),
    "MONGODB_URI": ("documents", "url"),
    "CORS_ALLOWED_ORIGIN": ("server", "cors_allowed_origins"),
    "INFLUXDB_HOST": ("series", "url"),
    "INFLUXDB_TOKEN": ("series", "token"),
    "INFLUXDB_DATABASE": ("series", "database"),
}


LISTS: tuple[Place, ...] = (ORIGINAL["CORS_ALLOWED_ORIGIN"], ("secrets", "keys"))


class SettingsError(Exception):
    """Settings that cannot be used: every fault, one a line, with where it stands and what to do."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(_Section):
    host: str = "127.0.0.1"
    port: int = Field(default=3000, ge=0, le=65535)
    open: bool = False
    cors_allowed_origins: tuple[str, ...] = ()

    @field_validator("cors_allowed_origins")
    @classmethod
    def _listed(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not origin.startswith(("http://", "https://")):
                raise ValueError(
                    f"{origin!r} is no origin; list each one, such as https://console.example "
                    "(any origin together with credentials would let every page act for its reader)"
                )
        return origins


class DocumentSettings(_Section):
    url: SecretStr | None = None
    driver: Literal["pymongo", "motor"] = "pymongo"
    deadline: float = Field(default=5.0, gt=0, le=300)
    pool: int = Field(default=50, ge=1, le=10_000)

    @field_validator("url")
    @classmethod
    def _known(cls, url: SecretStr | None) -> SecretStr | None:
        schemes = ("mongodb://", "mongodb+srv://", "sqlite:///")
        if url is not None and not url.get_secret_value().startswith(schemes):
            raise ValueError("the URL must start with mongodb://, mongodb+srv:// or sqlite:///")
        return url


class SeriesSettings(_Section):
    url: SecretStr | None = None
    token: SecretStr | None = None
    org: str = ""
    database: str = Field(default="machines", min_length=1)
    databases: dict[str, str] = {}
    deadline: float = Field(default=5.0, gt=0, le=300)
    retention_days: int | None = Field(default=None, ge=1)
    stale_after: int = Field(default=900, ge=1)
    max_range_days: int = Field(default=400, ge=1, le=100_000)
    max_windows: int = Field(default=50_000, ge=1)
    max_points: int = Field(default=1_000_000, ge=1)

    @field_validator("url")
    @classmethod
    def _known(cls, url: SecretStr | None) -> SecretStr | None:
        schemes = ("http://", "https://", "influxdb2+http://", "influxdb2+https://", "sqlite:///")
        if url is not None and not url.get_secret_value().startswith(schemes):
            raise ValueError(
                "the URL must start with http(s):// (InfluxDB 3), influxdb2+http(s):// (InfluxDB 2) or sqlite:///"
            )
        return url


class SecretSettings(_Section):
    key_file: Path | None = None
    keys: tuple[SecretStr, ...] = ()


class GraphQLSettings(_Section):
    graphiql: bool = True
    compiled: bool = True
    max_tokens: int = Field(default=5000, ge=10)
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024)
    max_json_depth: int = Field(default=64, ge=4, le=500)
    max_answer_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)


class LogSettings(_Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


class Settings(_Section):
    server: ServerSettings = ServerSettings()
    data: Path = Path("data")
    documents: DocumentSettings = DocumentSettings()
    series: SeriesSettings = SeriesSettings()
    secrets: SecretSettings = SecretSettings()
    graphql: GraphQLSettings = GraphQLSettings()
    log: LogSettings = LogSettings()


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a file (None: `config.yaml` if there is one here), overridden by the environment.

    Raises `SettingsError`.
    """
    default = Path("config.yaml")
    path = path or (default if default.exists() else None)
    values, places = read(path) if path else ({}, {})
    for variable, place in _variables(environ).items():
        value = _parsed(environ[variable], place)
        _put(values, place, value)
        places[place] = f"environment: {variable}"
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError("\n".join(_fault(e, places, path) for e in error.errors())) from None


def read(path: Path) -> tuple[dict[str, Any], dict[Place, str]]:
    """The mapping of a YAML file, and where each of its keys stands as `FILE:LINE`."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SettingsError(f"{path}: larger than 1 MiB; this is no configuration")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not UTF-8 text") from None
    places: dict[Place, str] = {}
    faults: list[str] = []
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            # Aliases are of no use here, and a few lines of them can stand for gigabytes.
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                mark = event.start_mark
                line = mark.line + 1 if mark else 1
                raise SettingsError(f"{path}:{line}: anchors and aliases are not taken; write the value out")
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
        value = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise SettingsError(f"{path}:{line}: {error.problem or 'not valid YAML'}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise SettingsError(f"{path}:1: not valid YAML ({type(error).__name__})") from None
    if value is None:
        return {}, {}
    if not isinstance(value, dict):
        raise SettingsError(f"{path}:1: the file must hold settings by name, such as `server:`")
    _locate(node, (), path, places, faults)
    if faults:
        raise SettingsError("\n".join(faults))
    return value, places


def _locate(
    node: yaml.Node | None, at: Place, path: Path, places: dict[Place, str], faults: list[str]
) -> None:
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        place, line = (*at, str(key.value)), key.start_mark.line + 1
        if place in places:
            faults.append(f"{path}:{line}: {'.'.join(place)} is set twice; keep one")
        places[place] = f"{path}:{line}"
        _locate(value, place, path, places, faults)


def _variables(environ: Mapping[str, str]) -> dict[str, Place]:
    """The variables that are settings; the gateway's own names come last and win."""
    found = {name: place for name, place in ORIGINAL.items() if environ.get(name)}
    for name in sorted(environ):
        if name.startswith(PREFIX):
            found[name] = tuple(name.removeprefix(PREFIX).lower().split("__"))
    return found


def _parsed(text: str, place: Place) -> Any:
    if place in LISTS:
        return [each.strip() for each in text.split(",") if each.strip()]
    return None if text.lower() in ("null", "") else text


def _put(values: dict[str, Any], place: Place, value: Any) -> None:
    for name in place[:-1]:
        values = values.setdefault(name, {}) if isinstance(values.get(name, {}), dict) else {}
        if values is None:
            return
    values[place[-1]] = value


def _fault(error: Any, places: dict[Place, str], path: Path | None) -> str:
    """A line such as `config.yaml:4: server.port: ...`; values are not repeated, they may be secret."""
    place = tuple(str(part) for part in error["loc"])
    known = next((places[place[:n]] for n in range(len(place), 0, -1) if place[:n] in places), path)
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = "there is no such setting; config.yaml in the sources lists them all"
    return f"{known}: {'.'.join(place)}: {message[:1].lower()}{message[1:]}"
