"""InfluxDB's line protocol: text lines that become points.

InfluxDB 2's own server is the reference (`models/points.go`): a line that it accepts is accepted with the
same values, and a line that it rejects is rejected, except that text which is not UTF-8 is rejected here.
Ordinary lines are matched by one regular expression; all others take the steps of InfluxDB's parser. All
patterns are possessive, so that the time is linear in the length of the text.
"""

import codecs
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from schema.server.line_fields import InvalidLine, find_fields_end, parse_fields, parse_value, unescape
from stores.contracts.samples import Point, Value

MIN_TIME, MAX_TIME = -(2**63) + 2, 2**63 - 2
MAX_KEY_BYTES = 65_535  # of a measurement with its tags and the name of a field
MAX_STRING_BYTES = 1_048_576
MAX_LINE_CHARACTERS = 2 * 1024 * 1024
MAX_FIELDS = 1000  # of a line: each may be a new series
MAX_SHOWN = 200  # characters of a line that is not read to its end
MAX_CACHED_KEYS = 10_000  # of one body
GUESSED = 0  # instead of a unit: the magnitude of a time tells its unit
DECODED_BYTES = 1024 * 1024  # at a time, so that other threads have their turns
BLANKS = " \t\0"
RESERVED_TAGS = {"\0", "_field", "_measurement", "time"}
NO_BYTES = re.compile("[\udc80-\udcff]")  # what `surrogateescape` makes of bytes that are not UTF-8

# An ordinary line: no backslash, and no blank in an unusual place.
ORDINARY_LINE = re.compile(
    r"(?P<key>[^\\, \t\0#][^\\, ]*+(?:,[^\\,= ]++=[^\\,= ]++)*+) ++"
    r'(?P<fields>[^\\,= \t\0"]++=(?:"[^"\\]*+"|[^\\", ]++)(?:,[^\\,= "]++=(?:"[^"\\]*+"|[^\\", ]++))*+)'
    r"(?: ++(?P<time>-?[0-9]++))? *+"
)
ORDINARY_FIELD = re.compile(r'([^=]++)=("[^"]*+"|[^,]++),?')

# A character after a backslash is always part of a name.
MEASUREMENT = re.compile(r"[^,](?:(?<=\\).|[^, ])*+", re.DOTALL)
TAG_NAME = re.compile(r"[^ ,=](?:[^ ,=]|(?<=\\)[ ,=])*+")
TAG_VALUE = re.compile(r"[^ ,](?:[^ ,=]|(?<=\\)[ ,=])*+")
TAG = re.compile(rf",({TAG_NAME.pattern})=({TAG_VALUE.pattern})")
LINE_CHARACTERS = re.compile(r'[\\ =,"\n]')  # those that matter to where a line ends
TIME_END = re.compile(r"[^ \n]*+")
TIME = re.compile(r"-?0*+([0-9]{1,19})?")


class RejectedPoint(Exception):
    """Why a point is not stored although its line is valid."""


class LineTooLong(Exception):
    """A line whose end is not searched for any further."""

    def __init__(self) -> None:
        super().__init__(
            f"the line is longer than {MAX_LINE_CHARACTERS} characters; what follows it was not read"
        )


class ParsedLine(NamedTuple):
    """A line with its number, and its point, or what is wrong with the line, or why the point is rejected."""

    number: int  # of the body's lines, from 1
    text: str
    point: Point | None
    error: str = ""
    rejection: str = ""


def parse_lines(
    body: bytes, unit: int, now: int, is_cancelled: Callable[[], bool] = lambda: False
) -> Iterator[ParsedLine]:
    """Yield the lines of a body, except comments and empty lines, until the parsing is cancelled.

    `unit` is the unit of the times in nanoseconds, or `GUESSED`. A line without a time gets `now`
    (nanoseconds), truncated to the unit. The thread holds up others for a few milliseconds at most.
    """
    text, is_utf8 = _decode(body)
    parser = LineParser(unit, now)
    position = number = 0
    while position < len(text) and not is_cancelled():
        number += 1
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        if end - position > MAX_LINE_CHARACTERS and not _has_marks(text, position, end):
            reason = f"the line is longer than {MAX_LINE_CHARACTERS} characters"
            yield ParsedLine(number, text[position : position + MAX_SHOWN], None, rejection=reason)
            position = end + 1
            continue
        try:
            line, match = _read_line(text, position, end)
            position += len(line) + 1
            first = number
            if match is None:
                number += line.count("\n")
            line = line.lstrip(BLANKS)
            if not line or line[0] == "#":
                continue
            line = line.removesuffix("\n")  # of the body, if a quote is still open there
            if not is_utf8 and NO_BYTES.search(line):
                raise InvalidLine("the line is not UTF-8")
            yield ParsedLine(first, line, parser.parse_match(match) if match else parser.parse(line))
        except InvalidLine as error:
            yield ParsedLine(first, line, None, str(error))
        except RejectedPoint as rejection:
            yield ParsedLine(first, line, None, rejection=str(rejection))
        except LineTooLong as error:
            yield ParsedLine(number, text[position : position + MAX_SHOWN], None, str(error))
            return


def _decode(body: bytes) -> tuple[str, bool]:
    """The text of a body, and whether all of it is UTF-8."""
    for errors in ("strict", "surrogateescape"):
        decoder = codecs.getincrementaldecoder("utf-8")(errors)
        parts = (body[start : start + DECODED_BYTES] for start in range(0, len(body), DECODED_BYTES))
        try:
            return "".join([*map(decoder.decode, parts), decoder.decode(b"", final=True)]), errors == "strict"
        except UnicodeDecodeError:
            continue
    raise AssertionError("surrogateescape decodes all bytes")


def _has_marks(text: str, start: int, end: int) -> bool:
    """Whether a line feed at `end` may belong to the line that begins at `start`."""
    return text.find('"', start, end) >= 0 or text.find("\\", start, end) >= 0


def _read_line(text: str, start: int, end: int) -> tuple[str, re.Match[str] | None]:
    """Return a line, and its match if it is an ordinary one. `end` is where the first line feed is.

    Raises `LineTooLong`.
    """
    if end - start > MAX_LINE_CHARACTERS:
        return text[start : find_line_end(text, start)], None
    line = text[start:end]
    match = ORDINARY_LINE.fullmatch(line)
    if match is None and _has_marks(line, 0, len(line)):
        line = text[start : find_line_end(text, start)]
    return line, match


def find_line_end(text: str, start: int) -> int:
    """Return where a line ends. A line feed in a quoted field, or after a backslash, does not end it.

    Raises `LineTooLong`.
    """
    is_quoted, in_fields = False, False
    equals = commas = 0
    position = start
    limit = min(len(text), start + MAX_LINE_CHARACTERS)
    while (match := LINE_CHARACTERS.search(text, position, limit)) is not None:
        position, character = match.start(), match[0]
        if character == "\\" and position + 2 < len(text):
            position += 2
            continue
        if character == "\n" and not is_quoted:
            return position
        in_fields = in_fields or character == " "
        if in_fields:
            if character == '"':
                is_quoted ^= equals > commas
            elif not is_quoted:
                equals += character == "="
                commas += character == ","
        position += 1
    if limit < len(text):
        raise LineTooLong
    return len(text)


class LineParser:
    """Parses single lines. The measurement and tags of a line are often those of an earlier one."""

    def __init__(self, unit: int, now: int) -> None:
        self._unit = unit
        self._now = now // unit * unit if unit else now
        self._keys: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {}

    def parse_match(self, match: re.Match[str]) -> Point:
        """Return the point of an ordinary line. Raises `InvalidLine` and `RejectedPoint`."""
        fields = {name: parse_value(literal) for name, literal in ORDINARY_FIELD.findall(match["fields"])}
        return self._make_point(match["key"], fields, match["time"] or "", match.end())

    def parse(self, line: str) -> Point:
        """Return the point of any line. Raises `InvalidLine` and `RejectedPoint`."""
        key_end = find_key_end(line)
        start = skip_blanks(line, key_end)
        end = find_fields_end(line, start)
        if start == end:
            raise InvalidLine("missing fields")
        fields = parse_fields(line[start:end])
        match = TIME_END.match(line, skip_blanks(line, end))
        assert match is not None
        if match[0] and line[match.end() :].strip(" "):  # without a time, InfluxDB ignores what follows
            raise InvalidLine("point is invalid")
        return self._make_point(line[:key_end], fields, match[0], len(line))

    def _make_point(self, key: str, fields: Mapping[str, Value], time: str, length: int) -> Point:
        if length * 4 > MAX_KEY_BYTES:
            key_bytes = len(key.encode()) + 4 + max(len(name.encode()) for name in fields)
            if key_bytes > MAX_KEY_BYTES:
                raise InvalidLine(f"max key length exceeded: {key_bytes} > {MAX_KEY_BYTES}")
        known = self._keys.get(key)
        if known is None:
            if len(self._keys) >= MAX_CACHED_KEYS:
                self._keys.clear()
            known = self._keys[key] = parse_key(key)
        if len(fields) > MAX_FIELDS:
            raise RejectedPoint(
                f"the line has {len(fields)} fields, at most {MAX_FIELDS}: write several lines"
            )
        at = self._parse_time(time) if time else self._now
        if length > MAX_STRING_BYTES or "time" in fields:
            fields = check_fields(known[0], fields)
        return Point(*known, fields, at)

    def _parse_time(self, text: str) -> int:
        match = TIME.fullmatch(text)
        if match is None or text == "-":
            raise InvalidLine("bad timestamp")
        digits = int(match[1] or 0)
        time = digits * (self._unit or guess_unit(digits))
        time = -time if text[0] == "-" else time
        if not MIN_TIME <= time <= MAX_TIME:
            raise InvalidLine(f"time outside range {MIN_TIME} - {MAX_TIME}")
        return time


def guess_unit(digits: int) -> int:
    """Return the unit of a time in nanoseconds, by its magnitude, as InfluxDB 3 does: until the year 2128."""
    for limit, unit in ((5 * 10**9, 10**9), (5 * 10**12, 10**6), (5 * 10**15, 10**3)):
        if digits < limit:
            return unit
    return 1


def check_fields(measurement: str, fields: Mapping[str, Value]) -> Mapping[str, Value]:
    """Return the fields without `time`, which InfluxDB ignores. Raises `RejectedPoint`."""
    fields = {name: value for name, value in fields.items() if name != "time"}
    if not fields:
        raise RejectedPoint(
            f'invalid field name: input field "time" on measurement "{measurement}" is invalid'
        )
    for name, value in fields.items():
        if isinstance(value, str) and len(value.encode()) > MAX_STRING_BYTES:
            raise RejectedPoint(
                f'input field "{name}" on measurement "{measurement}" is too long,'
                f" {len(value.encode())} > {MAX_STRING_BYTES}"
            )
    return fields


def skip_blanks(line: str, position: int) -> int:
    """Return the position of the first character that is not a blank."""
    while position < len(line) and line[position] in BLANKS:
        position += 1
    return position


def find_key_end(line: str) -> int:
    """Return where the measurement and the tags of a line end. Raises `InvalidLine`."""
    match = MEASUREMENT.match(line)
    if match is None:
        raise InvalidLine("missing measurement")
    position = match.end()
    while line[position : position + 1] == ",":
        match = TAG_NAME.match(line, position + 1)
        if match is None:
            raise InvalidLine("missing tag key")
        if line[match.end() : match.end() + 1] != "=":
            raise InvalidLine("missing tag value")
        match = TAG_VALUE.match(line, match.end() + 1)
        if match is None:
            raise InvalidLine("missing tag value")
        position = match.end()
    if position == len(line):
        raise InvalidLine("missing fields")
    if line[position] == "=":
        raise InvalidLine("invalid tag format")
    return position


def parse_key(key: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the measurement and the tags, sorted by name. Raises `InvalidLine`."""
    measurement = MEASUREMENT.match(key)
    assert measurement is not None
    pairs = TAG.findall(key, measurement.end())
    names = {name for name, _ in pairs}
    for name in names & RESERVED_TAGS:
        raise InvalidLine(f'cannot use reserved tag key "{name}"')
    if len(names) < len(pairs):
        raise InvalidLine("duplicate tags")
    tags = {unescape(name, r", ="): unescape(value, r", =") for name, value in pairs}
    return unescape(measurement[0], r", "), tuple(sorted(tags.items()))
