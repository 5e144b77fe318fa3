"""InfluxDB 3's line protocol: one pass over the text, in which a quote opens only a field's value."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

TRUE = {"t", "T", "true", "True", "TRUE"}
FALSE = {"f", "F", "false", "False", "FALSE"}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
NAME_ESCAPE = re.compile(r"\\([,= \\])")
VALUE_ESCAPE = re.compile(r'\\(["\\])')
# The end of a name or of a plain value, unless it is escaped.
MEASUREMENT_END = re.compile(r"(?:[^\\, \n]|\\.|\\\n|\\$)*")
NAME_END = re.compile(r"(?:[^\\,= \n]|\\.|\\\n|\\$)*")
STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
PLAIN_VALUE = re.compile(r"[^, \n]*")

TypedValue = tuple[str, bool | int | float | str]  # the name of the field's type, and the value


class LineError(ValueError):
    """One line that cannot be stored; the message is for the client."""


@dataclass(frozen=True)
class ParsedPoint:
    """A point of one line; `time` is in the unit of the request, or None."""

    measurement: str
    tags: tuple[tuple[str, str], ...]
    fields: dict[str, TypedValue]
    time: int | None


@dataclass(frozen=True)
class Line:
    """A line that is neither blank nor a comment; only these are numbered."""

    number: int
    text: str
    point: ParsedPoint | LineError


def parse_lines(text: str) -> Iterator[Line]:
    """Every line with its point or its error. A line feed within a quoted value does not end a line."""
    position, number = 0, 0
    while position < len(text):
        while text[position : position + 1] in (" ", "\t", "\r", "\n") and position < len(text):
            position += 1
        if position == len(text):
            return
        if text[position] == "#":
            position = _end_of_line(text, position)
            continue
        number += 1
        start, scanner = position, _Scanner(text, position)
        try:
            point: ParsedPoint | LineError = scanner.read_point()
        except LineError as error:
            point = error
        position = _end_of_line(text, scanner.position)
        yield Line(number, text[start:position].rstrip(), point)


def _end_of_line(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


class _Scanner:
    """Reads one line from `position` on, and leaves `position` where it stopped."""

    def __init__(self, text: str, position: int) -> None:
        self.text = text
        self.position = position

    def read_point(self) -> ParsedPoint:
        measurement = _unescape(self._take(MEASUREMENT_END))
        if not measurement:
            raise LineError("Invalid measurement was provided")
        tags: dict[str, str] = {}
        while self._skip(","):
            self._read_tag(tags)
        if not self._skip(" "):
            raise LineError("Expected at least one space character, got end of input")
        self._skip_spaces()
        fields: dict[str, TypedValue] = {}
        self._read_field(fields)
        while self._skip(","):
            self._read_field(fields)
        return ParsedPoint(measurement, tuple(sorted(tags.items())), fields, self._read_time())

    def _read_tag(self, tags: dict[str, str]) -> None:
        name = _unescape(self._take(NAME_END))
        value = _unescape(self._take(NAME_END)) if self._skip("=") else ""
        if not name or not value or self.text[self.position : self.position + 1] == "=":
            raise LineError("Tag set malformed")
        if name in tags:
            raise LineError(f"Must not contain duplicate tags, but `{name}` was repeated")
        tags[name] = value

    def _read_field(self, fields: dict[str, TypedValue]) -> None:
        name = _unescape(self._take(NAME_END))
        if not name or not self._skip("="):
            raise LineError("No fields were provided")
        value = self._read_value()
        if name in fields:
            raise LineError(f"invalid line protocol - multiple instances of '{name}' field found")
        fields[name] = value

    def _read_value(self) -> TypedValue:
        if self.text[self.position : self.position + 1] != '"':
            return _parse_plain_value(self._take(PLAIN_VALUE).rstrip("\r"))
        quoted = STRING.match(self.text, self.position)
        if quoted is None:
            self.position = len(self.text)
            raise LineError("Could not parse entire line. Found trailing content: an open quote")
        self.position = quoted.end()
        return "string", VALUE_ESCAPE.sub(r"\1", quoted[0][1:-1])

    def _read_time(self) -> int | None:
        end = _end_of_line(self.text, self.position)
        rest, self.position = self.text[self.position : end], end
        parts = rest.split()
        if (rest and rest[0] not in " \t\r") or len(parts) > 1:
            raise LineError(f"Could not parse entire line. Found trailing content: `{rest.strip()[:64]}`")
        if not parts:
            return None
        if not re.fullmatch(r"[+-]?\d+", parts[0], re.ASCII):
            raise LineError(f"Unable to parse timestamp value `{parts[0][:64]}`")
        return int(parts[0])

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.position)
        if match is None:
            return ""
        self.position = match.end()
        return match[0]

    def _skip(self, character: str) -> bool:
        if self.text[self.position : self.position + 1] != character:
            return False
        self.position += 1
        return True

    def _skip_spaces(self) -> None:
        while self._skip(" "):
            pass


def _unescape(name: str) -> str:
    return NAME_ESCAPE.sub(r"\1", name) if "\\" in name else name


def _parse_plain_value(value: str) -> TypedValue:
    if value in TRUE | FALSE:
        return "boolean", value in TRUE
    if re.fullmatch(r"[+-]?\d+i", value, re.ASCII):
        if -(2**63) <= int(value[:-1]) < 2**63:
            return "integer", int(value[:-1])
        raise LineError(f"Unable to parse integer value `{value[:-1]}`")
    if re.fullmatch(r"\d+u", value, re.ASCII):
        if int(value[:-1]) < 2**64:
            return "uinteger", int(value[:-1])
        raise LineError(f"Unable to parse unsigned integer value `{value[:-1]}`")
    if NUMBER.fullmatch(value):
        return "float", float(value)
    raise LineError("No fields were provided")


def to_nanoseconds(time: int | None, unit: int, now: int) -> int:
    """A point's time in nanoseconds; `unit` is in nanoseconds, or 0 to guess it from the magnitude."""
    if time is None:
        return now // unit * unit if unit else now
    if not unit:
        size = abs(time) // 10**9
        unit = 10**9 if size < 5 else 10**6 if size < 5000 else 10**3 if size < 5_000_000 else 1
    if not -(2**63) <= time * unit < 2**63:
        raise LineError(f"timestamp, {time}, out of range for precision")
    return time * unit
