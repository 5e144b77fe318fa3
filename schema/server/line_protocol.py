"""InfluxDB's line protocol: text lines that become points, or what is wrong with them."""

import re
from collections.abc import Iterator

from stores.contracts.series import END_OF_TIME, Point, Value

# A name may hold escaped commas, spaces and equal signs; a text field anything, line feeds too.
_NAME = r"(?:\\.|[^\\,=\s])+"
_MEASUREMENT = r"(?:\\.|[^\\,\s])+"
_LITERAL = r'"(?:\\.|[^"\\])*"|[^",\s]+'
_LINE = re.compile(
    rf"(?P<measurement>{_MEASUREMENT})(?P<tags>(?:,{_NAME}={_NAME})*) +"
    rf"(?P<fields>{_NAME}=(?:{_LITERAL})(?:,{_NAME}=(?:{_LITERAL}))*)(?: +(?P<time>-?\d+))? *\r?",
    re.DOTALL,
)
_TAG = re.compile(rf",({_NAME})=({_NAME})", re.DOTALL)
_FIELD = re.compile(rf"({_NAME})=({_LITERAL})(?:,|$)", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_TRUTHS = dict.fromkeys(("t", "T", "true", "True", "TRUE"), True) | dict.fromkeys(
    ("f", "F", "false", "False", "FALSE"), False
)


def parse(body: bytes, unit: int, now: int) -> Iterator[tuple[int, str, Point | str]]:
    """Each line with its number and its point, or what is wrong with it; `unit` is that of its times, in ns.

    Comments and empty lines are passed over; a line without a time is of `now`.
    """
    number = 1
    for raw in _split(body):
        try:
            line = raw.decode()
        except UnicodeDecodeError:
            yield number, raw.decode(errors="replace"), "not UTF-8"
        else:
            if line.strip() and not line.lstrip().startswith("#"):
                yield number, line, _point(line.lstrip(), unit, now)
        number += raw.count(b"\n") + 1


def _split(body: bytes) -> Iterator[bytes]:
    """The lines; a line feed within quotes is no end of a line."""
    pending = b""
    for part in body.split(b"\n"):
        pending = pending + b"\n" + part if pending else part
        if pending.replace(b"\\\\", b"").replace(b'\\"', b"").count(b'"') % 2 and not pending.startswith(
            b"#"
        ):
            continue
        yield pending
        pending = b""
    if pending:
        yield pending


def _point(line: str, unit: int, now: int) -> Point | str:
    found = _LINE.fullmatch(line)
    if found is None:
        return "not of the form measurement,tag=value field=value time"
    tags = [(_plain(name), _plain(value)) for name, value in _TAG.findall(found["tags"])]
    if len(dict(tags)) < len(tags):
        return "duplicate tags"
    fields: dict[str, Value] = {}
    for name, literal in _FIELD.findall(found["fields"]):
        value = _value(literal)
        if value is None:
            return f"invalid value of field {_plain(name)!r}"
        fields[_plain(name)] = value
    time = now if found["time"] is None else int(found["time"]) * unit
    if not -END_OF_TIME <= time < END_OF_TIME:
        return "time outside of the range of 64 bits"
    return Point(_plain(found["measurement"]), tuple(sorted(tags)), fields, time)


def _plain(name: str) -> str:
    return re.sub(r"\\([,= ])", r"\1", name) if "\\" in name else name


def _value(literal: str) -> Value | None:
    if literal[0] == '"':
        return re.sub(r'\\(["\\])', r"\1", literal[1:-1])
    if literal in _TRUTHS:
        return _TRUTHS[literal]
    if literal[-1] in "iu" and re.fullmatch(r"[+-]?\d{1,20}", literal[:-1]):
        whole = int(literal[:-1])
        return whole if -(2**63) <= whole < 2**63 and not (literal[-1] == "u" and whole < 0) else None
    if _NUMBER.fullmatch(literal):
        number = float(literal)
        return number if abs(number) != float("inf") else None
    return None
