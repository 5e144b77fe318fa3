"""The reference of the settings, made from their models: rows for the docs, and the committed config.yaml.

`python -m schema.server.settings_reference > config.yaml` writes the file anew.
"""

import json
import sys
import textwrap
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

import yaml
from annotated_types import Ge, Gt, Le, MinLen
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from schema.server.settings import Settings
from schema.server.settings_loading import list_variables_of
from schema.server.yaml_file import KeyPath

HEADER = (
    "Sync Gateway: every setting with its default. An environment variable overrides a setting:"
    " SYNC_GATEWAY_SERVER__PORT=8080 sets server.port, and so do the names of the original server that are"
    " noted."
)
ITEM = "[]."  # between the name of a list and a setting of its items
TYPE_NAMES: dict[type, str] = {
    str: "string",
    SecretStr: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    Path: "path",
}


class SettingRow(NamedTuple):
    """One setting. `default` is YAML; `variables` are environment variables, the gateway's own first.

    A setting of the items of a list, such as `auth.issuers[].issuer`, has no variable, and its default is
    `(required)` if it has none.
    """

    name: str
    default: str
    type: str
    variables: tuple[str, ...]
    description: str


def list_settings() -> list[SettingRow]:
    """Every setting in the order of config.yaml."""
    return [
        SettingRow(
            name := ".".join(key_path),
            "(required)" if field.is_required() else _to_yaml(field.default),
            _describe_type(field),
            () if ITEM in name else tuple(list_variables_of(key_path)),
            field.description or "",
        )
        for key_path, field in _walk_fields(Settings, ())
    ]


def render_config() -> str:
    """The text of config.yaml: every setting with its default, under a comment that describes it.

    Lists are empty by default, so settings of their items are not in it.
    """
    lines = textwrap.wrap(HEADER, 108, initial_indent="# ", subsequent_indent="# ")
    section: KeyPath = ()
    for row in list_settings():
        if ITEM in row.name:
            continue
        *parents, name = row.name.split(".")
        if not parents or tuple(parents) != section:
            lines.append("")
        for depth in range(len(parents)):
            path = tuple(parents[: depth + 1])
            if path != section[: depth + 1]:
                indent = "  " * depth
                lines += [f"{indent}# {_find_section_of(path).__doc__}", f"{indent}{path[-1]}:"]
        section = tuple(parents)
        indent = "  " * len(parents)
        comment = " ".join((row.description, *(f"({name})" for name in row.variables[1:])))
        lines += textwrap.wrap(comment, 108, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
        lines.append(f"{indent}{name}: {row.default}")
    return "\n".join(lines) + "\n"


def _find_section_of(path: KeyPath) -> type[BaseModel]:
    """The model of a section, by the names that lead to it."""
    model: type[BaseModel] = Settings
    for name in path:
        model = typing.cast(type[BaseModel], model.model_fields[name].annotation)
    return model


def _walk_fields(model: type[BaseModel], parent: KeyPath) -> Iterator[tuple[KeyPath, FieldInfo]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _walk_fields(field.annotation, (*parent, name))
        else:
            yield (*parent, name), field
            for item in get_args(field.annotation):
                if isinstance(item, type) and issubclass(item, BaseModel):
                    yield from _walk_fields(item, (*parent, f"{name}[]"))


def _to_yaml(value: Any) -> str:
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, tuple):
        return json.dumps(value)  # which is YAML, too, and the form of a variable of the environment
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("\n").removesuffix("\n...")


def _describe_type(field: FieldInfo) -> str:
    minimum = next((m.ge for m in field.metadata if isinstance(m, Ge)), None)
    maximum = next((m.le for m in field.metadata if isinstance(m, Le)), None)
    bounds = [
        *(f"more than {m.gt}" for m in field.metadata if isinstance(m, Gt)),
        *([f"at least {minimum}"] if minimum is not None else []),
        *([f"at most {maximum}"] if maximum is not None else []),
        *("not empty" for m in field.metadata if isinstance(m, MinLen)),
    ]
    return ", ".join((_name_type(field.annotation), *bounds))


def _name_type(annotation: Any) -> str:
    arguments = get_args(annotation)
    origin = get_origin(annotation)
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin in (Union, types.UnionType):
        return " or ".join("null" if a is type(None) else _name_type(a) for a in arguments)
    if origin is tuple:
        item = _name_type(arguments[0])
        return f"list, each {item}" if get_origin(arguments[0]) is Literal else f"list of {item}s"
    if origin is dict:
        return f"map of {_name_type(arguments[0])}s to {_name_type(arguments[1])}s"
    if issubclass(annotation, BaseModel):
        return "section"
    return TYPE_NAMES[annotation]


if __name__ == "__main__":
    sys.stdout.write(render_config())
