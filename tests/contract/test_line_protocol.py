"""Line protocol: every point that can be written is read back, and what is wrong with a line is said."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from influxdb_client import Point as ClientPoint  # type: ignore[attr-defined]  # no types

from schema.server import line_fields, line_protocol
from schema.server.line_fields import InvalidLine
from schema.server.line_protocol import GUESSED, ParsedLine, parse_lines
from stores.contracts.samples import Point, Unsigned, Value
from tests.contract.series_stores import line

NOW = 1_790_000_000_000_000_000
NAMES = st.text(st.sampled_from("abcXYZ019_-.,= äß'/$"), min_size=1, max_size=8).filter(
    lambda name: not name.startswith(("#", " ")) and not name.endswith(" ")
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES: st.SearchStrategy[Value] = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), FLOATS, TEXTS)


def parse_one(text: str, unit: int = 1) -> Point:
    """Return the point of the only line of a text. Raises `InvalidLine`."""
    [line] = parse_lines(text.encode(), unit, NOW)
    if line.point is None:
        raise InvalidLine(line.error)
    return line.point


@given(
    NAMES,
    st.dictionaries(NAMES, NAMES, max_size=3),
    st.dictionaries(NAMES, VALUES, min_size=1, max_size=3),
    st.integers(-(2**62), 2**62),
)
def test_what_is_written_is_read(
    measurement: str, tags: dict[str, str], fields: dict[str, Value], at: int
) -> None:
    point = Point(measurement, tuple(sorted(tags.items())), fields, at)
    parsed = parse_one(line(point))
    assert parsed == point
    assert [type(value) for value in parsed.fields.values()] == [type(value) for value in fields.values()]


@given(
    NAMES, st.dictionaries(NAMES, NAMES, max_size=3), st.dictionaries(NAMES, VALUES, min_size=1, max_size=3)
)
def test_what_the_client_library_writes_is_read(
    measurement: str, tags: dict[str, str], fields: dict[str, Value]
) -> None:
    written = ClientPoint(measurement).time(7)  # type: ignore[no-untyped-call]  # the client has no types
    for name, tag in tags.items():
        written.tag(name, tag)
    for name, value in fields.items():
        written.field(name, value)
    parsed = parse_one(written.to_line_protocol())
    assert (parsed.measurement, dict(parsed.tags), parsed.time) == (measurement, tags, 7)
    assert dict(parsed.fields) == fields


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1i", 1),
        ("-9223372036854775808i", -(2**63)),
        ("5u", Unsigned(5)),
        ("18446744073709551615u", Unsigned(2**64 - 1)),
        ("0009223372036854775807i", 2**63 - 1),
        ("-000i", 0),
        ("1.", 1.0),
        ("1e-400", 0.0),
        ("1", 1.0),
        ("-1.5e3", -1500.0),
        (".5", 0.5),
        ("t", True),
        ("FALSE", False),
        ('"a\\"b\\\\c"', 'a"b\\c'),
        ('"two\nlines"', "two\nlines"),
        ('""', ""),
    ],
)
def test_literals(written: str, value: Value) -> None:
    parsed = parse_one(f"m f={written} 5")
    assert parsed.fields == {"f": value}
    assert type(parsed.fields["f"]) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "m", "m f", "m f= 5", "m f=1 x", "m,t f=1", "m,t= f=1", ",t=1 f=1", "m f=9223372036854775808i",
        "m f=-1u", "m f=nan", "m f=inf", "m f=1e999", 'm f="open', "m,a=1,a=2 f=1", "m f=tru",
        "m f=1 99999999999999999999", "m f=\uff11 1", "m f=1 \uff11", "m f=+5", "m f=1_0", "m f=0x1p3",
        "m f=1i2", "m f=18446744073709551616u", "m f=1 5\r", "m f=1\r", "m f=1\u00a05", "m,_field=a f=1",
        "m,time=a f=1", "m f=1 9223372036854775807", "m f=1 -9223372036854775807", "m f=1 1 x",
        'm f="a"b,g=1,h', "m\u00a0f=1",
    ],
)  # fmt: skip
def test_an_invalid_line_is_rejected(text: str) -> None:
    with pytest.raises(InvalidLine):
        parse_one(text)


@pytest.mark.parametrize(
    ("text", "measurement", "tags", "fields"),
    [
        ('pipe,machine_id=P1,size=2" flow=1 1', "pipe", {"machine_id": "P1", "size": '2"'}, {"flow": 1.0}),
        ("state,machine_id=A\u00a0B f=2 2", "state", {"machine_id": "A\u00a0B"}, {"f": 2.0}),
        ("\u3000state,machine_id=A f=1 1", "\u3000state", {"machine_id": "A"}, {"f": 1.0}),
        ('m,k=a\\\\ b f="s" 5', "m", {"k": "a\\ b"}, {"f": "s"}),
        ("m\\=\\,\\ x,a\\=b=\\,c f\\ g=1", "m\\=, x", {"a=b": ",c"}, {"f g": 1.0}),
        ('m f="a\\b\\\\\\"",g="",h="1,2=3 4"', "m", {}, {"f": 'a\\b\\"', "g": "", "h": "1,2=3 4"}),
        ("\t m,b=1,a=2  \tf=1,time=2 ", "m", {"a": "2", "b": "1"}, {"f": 1.0}),
        ("m f=1,f=2", "m", {}, {"f": 2.0}),
    ],
)
def test_names_and_values_are_those_of_influxdb(
    text: str, measurement: str, tags: dict[str, str], fields: dict[str, Value]
) -> None:
    point = parse_one(text)
    assert (point.measurement, dict(point.tags), point.fields) == (measurement, tags, fields)


def test_comments_and_blank_lines_are_skipped_and_an_invalid_line_costs_only_itself() -> None:
    body = b"""# comment

m f=1 1
  # it is 5" wide
broken
m f="a
b" 2
  m f=3 3
\t
\xff f=1
m,machine_id=M1 f=4"""
    lines = list(parse_lines(body, 1_000_000, NOW))
    assert [line.error != "" for line in lines] == [False, True, False, False, True, False]
    points = [line.point for line in lines if line.point]
    assert [point.time for point in points] == [1_000_000, 2_000_000, 3_000_000, NOW // 1_000_000 * 1_000_000]
    assert [point.fields["f"] for point in points] == [1.0, "a\nb", 3.0, 4.0]


def test_a_point_with_no_field_but_time_and_one_with_a_huge_string_are_rejected() -> None:
    body = f'm time=1\nm f="{"x" * 1_048_577}"\nm f="{"x" * 1_048_576}"\n'
    lines = list(parse_lines(body.encode(), 1, NOW))
    assert [line.point is None for line in lines] == [True, True, False]
    assert "invalid field name" in lines[0].rejection
    assert "too long" in lines[1].rejection


class CountingPattern:
    """A compiled pattern that counts its searches."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        self.searches = 0

    def search(self, text: str, *bounds: int) -> re.Match[str] | None:
        self.searches += 1
        return self._pattern.search(text, *bounds)


@pytest.mark.parametrize(
    "body", ['m f="' + "\n" * 100_000, "m f=" + "\\\n" * 100_000, 'm f="\\"' * 50_000, "m " + "a=1," * 50_000]
)
def test_the_steps_of_parsing_are_linear_in_the_length(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = CountingPattern(line_protocol.LINE_CHARACTERS)
    fields = CountingPattern(line_fields.FIELD_CHARACTERS)
    monkeypatch.setattr(line_protocol, "LINE_CHARACTERS", lines)
    monkeypatch.setattr(line_fields, "FIELD_CHARACTERS", fields)
    assert all(line.error for line in parse_lines(body.encode(), 1, NOW))
    assert 0 < lines.searches + fields.searches <= 2 * len(body)


@pytest.mark.parametrize("content", [b"\n", b"x", b"\\\n"], ids=["lines", "one line", "backslashes"])
def test_a_long_line_that_may_go_on_ends_the_parsing(content: bytes) -> None:
    [first, long] = parse_lines(b'm f=1\nm f="' + content * 3_000_000 + b'"\nm f=2', 1, NOW)
    assert first.point is not None
    assert (long.number, long.error[:24]) == (2, "the line is longer than ")
    assert len(long.text) <= 200


def test_a_long_line_with_a_certain_end_is_rejected_and_the_others_are_read() -> None:
    body = b"m f=1 1\nm,t=" + b"x" * 3_000_000 + b" f=1 2\nm f=3 3"
    lines = list(parse_lines(body, 1, NOW))
    assert [(line.number, line.point is None) for line in lines] == [(1, False), (2, True), (3, False)]
    assert "longer than" in lines[1].rejection


@pytest.mark.parametrize("form", ["f{}=1", 'f{}="a, =b"', 'f{}="\\\\"', "f{}\\ =1i"])
def test_a_line_has_a_maximum_of_fields(form: str) -> None:
    bodies = [",".join(form.format(number) for number in range(count)) for count in (1000, 1001)]
    lines = list(parse_lines("".join(f"m {fields}\n" for fields in bodies).encode(), 1, NOW))
    assert lines[0].point is not None
    assert len(lines[0].point.fields) == 1000
    assert (lines[1].point, lines[1].rejection[:27]) == (None, "the line has 1001 fields, a")


def test_lines_are_numbered_as_an_editor_does() -> None:
    body = b'm f="a\nb"\n# comment\n\nbroken\nm f=1\\\n,g=2\nm f=1'
    assert [line.number for line in parse_lines(body, 1, NOW)] == [1, 5, 6, 8]


@pytest.mark.parametrize("nanoseconds", [1, 10**3, 10**6, 10**9])
@pytest.mark.parametrize("sign", ["", "-"])
def test_the_magnitude_of_a_time_tells_its_unit(nanoseconds: int, sign: str) -> None:
    seconds = 1_700_000_000
    written = f"m f=1 {sign}{seconds * 10**9 // nanoseconds}\nm f=1"
    times = [line.point.time for line in parse_lines(written.encode(), GUESSED, NOW) if line.point]
    assert times == [int(f"{sign}{seconds}") * 10**9, NOW]


def test_a_cancelled_parsing_stops_at_the_next_line() -> None:
    parsed: list[ParsedLine] = []
    for parsed_line in parse_lines(b"m f=1\n" * 100, 1, NOW, lambda: len(parsed) >= 3):
        parsed.append(parsed_line)
    assert len(parsed) == 3
