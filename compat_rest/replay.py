"""Recorded requests, sent again to a server, or to two servers whose answers are compared.

A recording is a file with a JSON object on each line: `request` (`method`, `path`, `json` or `multipart`),
`capture` (values of the answer to keep by name: `{name}` stands for one in later paths and bodies) and
`volatile` (paths of the answer, such as `$[*].createdAt`, whose values differ from run to run).
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
Captured = dict[str, Any]


class NotRecorded(Exception):
    """A file that holds no recording, and where it goes wrong."""


def read(path: Path) -> list[dict[str, Any]]:
    """The exchanges of a recording. Raises `NotRecorded` and `OSError`."""
    exchanges = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            try:
                exchange = json.loads(line)
                exchange["request"]["method"] + exchange["request"]["path"]
            except (ValueError, KeyError, TypeError):
                said = 'a line must be {"request": {"method": ..., "path": ...}, ...}'
                raise NotRecorded(f"{path}:{number}: {said}") from None
            exchanges.append(exchange)
    return exchanges


def filled(value: Any, captured: Captured) -> Any:
    """A recorded value with `{name}` replaced by what was captured under that name."""
    if isinstance(value, dict):
        return {key: filled(each, captured) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, captured) for each in value]
    if isinstance(value, str) and value[1:-1] in captured and value == f"{{{value[1:-1]}}}":
        return captured[value[1:-1]]
    return value


def places(path: str, value: Any) -> list[tuple[Any, Any]]:
    """The containers and keys that a path such as `$[*].createdAt` names."""
    found: list[tuple[Any, Any]] = [({"$": value}, "$")]
    for key in re.findall(r"\[\*\]|\w+", path.removeprefix("$")):
        if key == "[*]":
            found = [(c[k], i) for c, k in found if isinstance(c[k], list) for i in range(len(c[k]))]
        else:
            found = [(c[k], key) for c, k in found if isinstance(c[k], dict) and key in c[k]]
    return found


def blank(value: Any, volatile: list[str]) -> Any:
    """The value with its volatile parts replaced by their kinds."""
    value = json.loads(json.dumps(value))
    for path in volatile:
        for container, key in places(path, value):
            old = container[key]
            container[key] = "time" if isinstance(old, str) and TIME.fullmatch(old) else type(old).__name__
    return value


def capture(exchange: dict[str, Any], body: Any, captured: Captured) -> None:
    """Keep what an exchange captures of an answer."""
    for name, path in exchange.get("capture", {}).items():
        for container, key in places(path, body)[:1]:
            captured[name] = container[key]


async def send(client: httpx.AsyncClient, request: dict[str, Any], captured: Captured) -> httpx.Response:
    path = re.sub(r"\{(\w+)\}", lambda m: str(captured.get(m[1], m[0])), request["path"])
    if "multipart" not in request:
        options = {"json": filled(request["json"], captured)} if "json" in request else {}
        return await client.request(request["method"], path, **options)
    files = [
        (
            f["field"],
            (f["filename"], f["text"] if "text" in f else base64.b64decode(f["base64"]), f["content_type"]),
        )
        for f in request["multipart"]["files"]
    ]
    return await client.request(request["method"], path, files=files)


async def compare(
    old: httpx.AsyncClient,
    new: httpx.AsyncClient,
    exchanges: list[dict[str, Any]],
    progress: Callable[[int], None],
) -> list[str]:
    """Send every request to both servers, in order, and say where status or body differ.

    Times and object ids count as equal to any other, beside what the recording calls volatile.
    """
    captured: tuple[Captured, Captured] = ({}, {})
    differences = []
    for number, exchange in enumerate(exchanges, 1):
        request = exchange["request"]
        answers = [await send(c, request, kept) for c, kept in zip((old, new), captured, strict=True)]
        bodies = [_body(answer) for answer in answers]
        for body, kept in zip(bodies, captured, strict=True):
            capture(exchange, body, kept)
        place = f"{exchange.get('n', number)} {request['method']} {request['path']}"
        if answers[0].status_code != answers[1].status_code:
            differences.append(f"{place}: status {answers[0].status_code}, now {answers[1].status_code}")
        volatile = exchange.get("volatile", [])
        before, now = (_kinds(blank(b, volatile), kept) for b, kept in zip(bodies, captured, strict=True))
        differences += [f"{place}: {each}" for each in _differences(before, now, "$")]
        progress(number)
    return differences


def _body(answer: httpx.Response) -> Any:
    if "json" in answer.headers.get("content-type", ""):
        return answer.json()
    try:
        return answer.content.decode()
    except UnicodeDecodeError:
        return base64.b64encode(answer.content).decode()


def _kinds(value: Any, captured: Captured) -> Any:
    """The value with what each server makes itself replaced: times, object ids, and what was captured."""
    match value:
        case dict():
            return {key: _kinds(each, captured) for key, each in value.items()}
        case list():
            return [_kinds(each, captured) for each in value]
        case str() if value in captured.values():
            return next(f"{{{name}}}" for name, each in captured.items() if each == value)
        case str() if TIME.fullmatch(value):
            return "time"
        case str() if OBJECT_ID.fullmatch(value):
            return "id"
    return value


def _differences(old: Any, new: Any, path: str) -> list[str]:
    match old, new:
        case dict(), dict():
            both = [key for key in old if key in new]
            found = [line for key in both for line in _differences(old[key], new[key], f"{path}.{key}")]
            found += [f"{path}.{key}: only before" for key in old if key not in new]
            return found + [f"{path}.{key}: only now" for key in new if key not in old]
        case list(), list() if len(old) == len(new):
            pairs = enumerate(zip(old, new, strict=True))
            return [line for i, (a, b) in pairs for line in _differences(a, b, f"{path}[{i}]")]
    if type(old) is type(new) and old == new:
        return []
    return [f"{path}: {_short(old)}, now {_short(new)}"]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."
