"""Recorded requests, sent again to one server, or to two servers whose responses are compared.

A recording is a file with a JSON object on each line: `request` (`method`, `path`, `json` or `multipart`),
`capture` (values of the response to remember by name; `{name}` stands for a value in later paths and bodies)
and `volatile` (paths in the response, such as `$[*].createdAt`, whose values differ from run to run).
"""

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
OBJECT_ID = re.compile(r"[0-9a-f]{24}")
MAX_SHOWN_CHARACTERS = 80
Captured = dict[str, Any]


class InvalidRecording(Exception):
    """A file that is not a recording; the message names its first invalid line."""


def read_recording(path: Path) -> list[dict[str, Any]]:
    """The exchanges of a recording. Raises `InvalidRecording` and `OSError`."""
    exchanges = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            try:
                exchange = json.loads(line)
                exchange["request"]["method"] + exchange["request"]["path"]
            except (ValueError, KeyError, TypeError):
                expected = 'a line must be {"request": {"method": ..., "path": ...}, ...}'
                raise InvalidRecording(f"{path}:{number}: {expected}") from None
            exchanges.append(exchange)
    return exchanges


def fill_in(value: Any, captured: Captured) -> Any:
    """A recorded value with each `{name}` replaced by the value that was captured under the name."""
    if isinstance(value, dict):
        return {key: fill_in(item, captured) for key, item in value.items()}
    if isinstance(value, list):
        return [fill_in(item, captured) for item in value]
    match = re.fullmatch(r"\{(\w+)\}", value) if isinstance(value, str) else None
    return captured.get(match[1], value) if match else value


def find_positions(path: str, value: Any) -> list[tuple[Any, Any]]:
    """The containers and keys in a value that a path such as `$[*].createdAt` names."""
    positions: list[tuple[Any, Any]] = [({"$": value}, "$")]
    for key in re.findall(r"\[\*\]|\w+", path.removeprefix("$")):
        values = [container[last] for container, last in positions]
        if key == "[*]":
            positions = [(items, i) for items in values if isinstance(items, list) for i in range(len(items))]
        else:
            positions = [(item, key) for item in values if isinstance(item, dict) and key in item]
    return positions


def replace_volatile(value: Any, volatile: list[str]) -> Any:
    """The value with its volatile parts replaced by their kinds."""
    value = json.loads(json.dumps(value))
    for path in volatile:
        for container, key in find_positions(path, value):
            part = container[key]
            container[key] = "time" if isinstance(part, str) and TIME.fullmatch(part) else type(part).__name__
    return value


def capture(exchange: dict[str, Any], body: Any, captured: Captured) -> None:
    """Remember the values that an exchange captures from a response."""
    for name, path in exchange.get("capture", {}).items():
        for container, key in find_positions(path, body)[:1]:
            captured[name] = container[key]


async def send(client: httpx.AsyncClient, request: dict[str, Any], captured: Captured) -> httpx.Response:
    """Send a recorded request, in which values that earlier responses contained replace `{name}`."""
    path = re.sub(r"\{(\w+)\}", lambda match: str(captured.get(match[1], match[0])), request["path"])
    if "multipart" not in request:
        options = {"json": fill_in(request["json"], captured)} if "json" in request else {}
        return await client.request(request["method"], path, **options)
    files = []
    for file in request["multipart"]["files"]:
        content = file["text"] if "text" in file else base64.b64decode(file["base64"])
        files.append((file["field"], (file["filename"], content, file["content_type"])))
    return await client.request(request["method"], path, files=files)


async def compare_servers(
    old: httpx.AsyncClient,
    new: httpx.AsyncClient,
    exchanges: list[dict[str, Any]],
    report_progress: Callable[[int], None],
) -> list[str]:
    """Send every request to both servers, in order; a line for each difference of status or body.

    All times count as equal, all object ids too, beside the values that the recording calls volatile.
    """
    old_captured: Captured = {}
    new_captured: Captured = {}
    differences = []
    for number, exchange in enumerate(exchanges, 1):
        request, volatile = exchange["request"], exchange.get("volatile", [])
        old_response = await send(old, request, old_captured)
        new_response = await send(new, request, new_captured)
        old_body, new_body = _read_response(old_response), _read_response(new_response)
        capture(exchange, old_body, old_captured)
        capture(exchange, new_body, new_captured)
        title = f"{exchange.get('n', number)} {request['method']} {request['path']}"
        if old_response.status_code != new_response.status_code:
            differences.append(f"{title}: status {old_response.status_code}, now {new_response.status_code}")
        old_kinds = _replace_generated(replace_volatile(old_body, volatile), old_captured)
        new_kinds = _replace_generated(replace_volatile(new_body, volatile), new_captured)
        differences += [
            f"{title}: {difference}" for difference in _list_differences(old_kinds, new_kinds, "$")
        ]
        report_progress(number)
    return differences


def _read_response(response: httpx.Response) -> Any:
    if "json" in response.headers.get("content-type", ""):
        return response.json()
    try:
        return response.content.decode()
    except UnicodeDecodeError:
        return base64.b64encode(response.content).decode()


def _replace_generated(value: Any, captured: Captured) -> Any:
    """The value with what each server generates replaced by its kind: times, object ids, captured values."""
    match value:
        case dict():
            return {key: _replace_generated(item, captured) for key, item in value.items()}
        case list():
            return [_replace_generated(item, captured) for item in value]
        case str() if value in captured.values():
            return next(f"{{{name}}}" for name, known in captured.items() if known == value)
        case str() if TIME.fullmatch(value):
            return "time"
        case str() if OBJECT_ID.fullmatch(value):
            return "id"
    return value


def _list_differences(old: Any, new: Any, path: str) -> list[str]:
    match old, new:
        case dict(), dict():
            common = [key for key in old if key in new]
            lines = [
                line for key in common for line in _list_differences(old[key], new[key], f"{path}.{key}")
            ]
            lines += [f"{path}.{key}: only before" for key in old if key not in new]
            return lines + [f"{path}.{key}: only now" for key in new if key not in old]
        case list(), list() if len(old) == len(new):
            pairs = enumerate(zip(old, new, strict=True))
            return [line for i, (a, b) in pairs for line in _list_differences(a, b, f"{path}[{i}]")]
    if type(old) is type(new) and old == new:
        return []
    return [f"{path}: {_shorten(old)}, now {_shorten(new)}"]


def _shorten(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[: MAX_SHOWN_CHARACTERS - 3]}..."
