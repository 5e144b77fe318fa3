"""Line protocol: every point that can be written is read back, and what is wrong with a line is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from influxdb_client import Point as ClientPoint  # type: ignore[attr-defined]

from schema.server.line_protocol import parse
from stores.contracts.series import Point, Value
from tests.contract.series_stores import line

NOW = 1_790_000_000_000_000_000
NAMES = st.text(st.sampled_from("abcXYZ019_-.,= äß'/$"), min_size=1, max_size=8).filter(
    lambda name: not name.startswith(("#", " ")) and not name.endswith(" ")
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES: st.SearchStrategy[Value] = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), FLOATS, TEXTS)


def one(text: str, unit: int = 1) -> Point | str:
    [(_, _, found)] = parse(text.encode(), unit, NOW)
    return found


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
    found = one(line(point))
    assert found == point
    assert isinstance(found, Point)
    assert [type(value) for value in found.fields.values()] == [type(value) for value in fields.values()]


@given(
    NAMES, st.dictionaries(NAMES, NAMES, max_size=3), st.dictionaries(NAMES, VALUES, min_size=1, max_size=3)
)
def test_what_the_client_library_writes_is_read(
    measurement: str, tags: dict[str, str], fields: dict[str, Value]
) -> None:
    written = ClientPoint(measurement).time(7)  # type: ignore[no-untyped-call]
    for name, tag in tags.items():
        written.tag(name, tag)
    for name, value in fields.items():
        written.field(name, value)
    found = one(written.to_line_protocol())
    assert isinstance(found, Point), found
    assert (found.measurement, dict(found.tags), found.time) == (measurement, tags, 7)
    assert dict(found.fields) == fields


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1i", 1),
        ("-9223372036854775808i", -(2**63)),
        ("5u", 5),
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
    found = one(f"m f={written} 5")
    assert isinstance(found, Point)
    assert found.fields == {"f": value}
    assert type(found.fields["f"]) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "m", "m f", "m f= 5", "m f=1 x", "m,t f=1", "m,t= f=1", ",t=1 f=1", "m f=9223372036854775808i",
        "m f=-1u", "m f=nan", "m f=inf", "m f=1e999", 'm f="open', "m,a=1,a=2 f=1", "m f=tru",
        "m f=1 99999999999999999999",
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(text: str) -> None:
    assert isinstance(one(text), str)


def test_lines_are_counted_and_a_bad_one_costs_itself_alone() -> None:
    body = b'# comment\n\nm f=1 1\r\nbroken\nm f="a\nb" 2\n  m f=3 3\n\xff f=1\nm,machine_id=M1 f=4'
    found = list(parse(body, 1_000_000, NOW))
    assert [number for number, _, _ in found] == [3, 4, 5, 7, 8, 9]
    points = [each for _, _, each in found if isinstance(each, Point)]
    assert [point.time for point in points] == [1_000_000, 2_000_000, 3_000_000, NOW]
    assert [point.fields["f"] for point in points] == [1.0, "a\nb", 3.0, 4.0]
