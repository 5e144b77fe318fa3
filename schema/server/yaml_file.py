"""A YAML file as a mapping, with the line of each of its keys."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

KeyPath = tuple[str, ...]  # such as ("server", "port"), or ("auth", "issuers", "0", "issuer")
MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32


class SettingsError(Exception):
    """Settings that cannot be used. Each fault is a line that says where it is and what to do."""


def read_yaml(path: Path) -> tuple[dict[str, Any], dict[KeyPath, str]]:
    """The mapping of a YAML file, and where each of its keys and items is (`FILE:LINE`).

    Raises `SettingsError`.
    """
    text = _read_text(path)
    try:
        _reject_aliases_and_deep_nesting(text, path)
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
    locations: dict[KeyPath, str] = {}
    faults: list[str] = []
    for key_path, line in _walk_keys(node, ()):
        if key_path in locations:
            faults.append(f"{path}:{line}: {'.'.join(key_path)} is set twice; keep one")
        locations[key_path] = f"{path}:{line}"
    if faults:
        raise SettingsError("\n".join(faults))
    return value, locations


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SettingsError(f"{path}: larger than 1 MiB; this is not a settings file")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: not UTF-8 text") from None


def _reject_aliases_and_deep_nesting(text: str, path: Path) -> None:
    # Settings need neither: a few lines of aliases can stand for gigabytes, and the parser's time grows
    # with the square of the depth.
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        line = event.start_mark.line + 1 if event.start_mark else 1
        if depth > MAX_DEPTH:
            raise SettingsError(f"{path}:{line}: nested more than {MAX_DEPTH} levels deep")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise SettingsError(f"{path}:{line}: anchors and aliases are not supported; write the value out")


def _walk_keys(node: yaml.Node | None, parent: KeyPath) -> Iterator[tuple[KeyPath, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            key_path = (*parent, str(key.value))
            yield key_path, key.start_mark.line + 1
            yield from _walk_keys(value, key_path)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            key_path = (*parent, str(index))
            yield key_path, item.start_mark.line + 1
            yield from _walk_keys(item, key_path)
