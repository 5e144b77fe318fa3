"""The stand-in for InfluxDB 3: its line protocol, its tables, its SQL and its errors."""

from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.randomized import randomized
from tests.servers.influxdb3.http import create_app
from tests.servers.influxdb3.line_protocol import LineError, ParsedPoint, parse_lines, to_nanoseconds
from tests.servers.influxdb3.storage import MemoryStore

SECOND = 10**9


def parse(text: str) -> list[ParsedPoint | str]:
    """The points of `text`; of a line that is rejected, its error."""
    return [
        str(line.point) if isinstance(line.point, LineError) else line.point for line in parse_lines(text)
    ]


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("m a=1", {"a": ("float", 1.0)}),
        ("m a=-1.5e3,b=.5", {"a": ("float", -1500.0), "b": ("float", 0.5)}),
        (
            "m a=1i,b=2u,c=t,d=FALSE",
            {"a": ("integer", 1), "b": ("uinteger", 2), "c": ("boolean", True), "d": ("boolean", False)},
        ),
        ('m a="b c, d=e"', {"a": ("string", "b c, d=e")}),
        ('m a="say \\"hi\\" \\\\",b=1', {"a": ("string", 'say "hi" \\'), "b": ("float", 1.0)}),
        ('m a="two\nlines",b=1', {"a": ("string", "two\nlines"), "b": ("float", 1.0)}),
        ('m diameter\\ 5"=1,b=2', {'diameter 5"': ("float", 1.0), "b": ("float", 2.0)}),
        ('m "=1,b="x"', {'"': ("float", 1.0), "b": ("string", "x")}),
        ("m a\\,b\\=c=1", {"a,b=c": ("float", 1.0)}),
    ],
)
def test_fields_are_read(line: str, fields: dict[str, object]) -> None:
    assert parse(line) == [ParsedPoint("m", (), fields, None)]  # type: ignore[arg-type]  # values of JSON


def test_a_quote_in_a_name_does_not_swallow_the_next_line() -> None:
    points = parse('m 5"=1\nm,t=6" b=2 7\nm" c=3')
    assert points == [
        ParsedPoint("m", (), {'5"': ("float", 1.0)}, None),
        ParsedPoint("m", (("t", '6"'),), {"b": ("float", 2.0)}, 7),
        ParsedPoint('m"', (), {"c": ("float", 3.0)}, None),
    ]


def test_blank_lines_and_comments_are_not_numbered() -> None:
    lines = list(parse_lines('\n# "a comment"\n  m a=1  \r\n\t# another\nm b\n'))
    assert [(line.number, line.text) for line in lines] == [(1, "m a=1"), (2, "m b")]


@pytest.mark.parametrize(
    "line",
    [
        "m",
        "m ",
        ",a=b c=1",
        "m,a c=1",
        "m,a= c=1",
        "m,a=1,a=2 c=1",
        "m a",
        "m a=",
        "m a=x",
        "m a=1,a=2",
        "m a=1 x",
        "m a=1 1 2",
        'm a="open',
        'm a="x"y',
        "m a=9223372036854775808i",
        "m a=-1u",
        "m a=1_0",
        "m a=\u0661",
    ],
)
def test_a_malformed_line_is_an_error_and_the_next_one_is_read(line: str) -> None:
    first, *rest = parse(f"{line}\nm good=1")
    assert isinstance(first, str)
    assert line == 'm a="open' or rest == [ParsedPoint("m", (), {"good": ("float", 1.0)}, None)]


NAMES = st.text(st.characters(exclude_characters="\n\r\\", exclude_categories=["Cs"]), min_size=1, max_size=8)


def _escape(name: str) -> str:
    return name.replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ")


@randomized(50)
@given(
    st.dictionaries(NAMES, NAMES, max_size=3),
    st.dictionaries(NAMES, st.text(max_size=8), min_size=1, max_size=3),
)
def test_what_is_escaped_is_read_back(tags: dict[str, str], fields: dict[str, str]) -> None:
    head = "".join(f",{_escape(name)}={_escape(value)}" for name, value in tags.items())
    quoted = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in fields.items()}
    text = (
        f"m{head} " + ",".join(f'{_escape(name)}="{value}"' for name, value in quoted.items()) + " 1\nm a=1"
    )
    expected = {name: ("string", value) for name, value in fields.items()}
    assert parse(text) == [
        ParsedPoint("m", tuple(sorted(tags.items())), expected, 1),  # type: ignore[arg-type]  # values of JSON
        ParsedPoint("m", (), {"a": ("float", 1.0)}, None),
    ]


@pytest.mark.parametrize(
    ("time", "unit", "expected"),
    [
        (None, 0, 1_700_000_000_987_654_321),
        (None, SECOND, 1_700_000_000 * SECOND),
        (1_700_000_000, 0, 1_700_000_000 * SECOND),
        (1_700_000_000_000, 0, 1_700_000_000 * SECOND),
        (1_700_000_000_000_000, 0, 1_700_000_000 * SECOND),
        (1_700_000_000_000_000_001, 0, 1_700_000_000 * SECOND + 1),
        (-5, 1000, -5000),
    ],
)
def test_times_are_nanoseconds(time: int | None, unit: int, expected: int) -> None:
    assert to_nanoseconds(time, unit, now=1_700_000_000_987_654_321) == expected


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(MemoryStore(["d"]), []))
    async with httpx.AsyncClient(transport=transport, base_url="http://influxdb3") as client:
        yield client


async def write(client: httpx.AsyncClient, text: str, **parameters: str) -> httpx.Response:
    return await client.post(
        "/api/v3/write_lp", params={"db": "d", "precision": "second", **parameters}, content=text
    )


async def query(client: httpx.AsyncClient, statement: str, **parameters: object) -> httpx.Response:
    return await client.post("/api/v3/query_sql", json={"db": "d", "q": statement, "params": parameters})


async def test_points_of_one_series_and_time_are_merged(client: httpx.AsyncClient) -> None:
    assert (
        await write(client, "m,t=x a=1,b=2 5\nm,t=x b=3,c=true 5\nm a=9i 6", accept_partial="false")
    ).status_code == 400
    assert (await write(client, "m,t=x a=1,b=2 5\nm,t=x b=3,c=true 5\nm a=9 6")).status_code == 204
    rows = (await query(client, "SELECT * FROM m ORDER BY time")).json()
    assert rows == [
        {"a": 1.0, "b": 3.0, "c": True, "t": "x", "time": "1970-01-01T00:00:05"},
        {"a": 9.0, "time": "1970-01-01T00:00:06"},
    ]


async def test_a_column_does_not_change_its_type(client: httpx.AsyncClient) -> None:
    await write(client, "m a=1 1")
    rejected = await write(client, "m a=2 2\nm a=3i 3\nm,a=x b=1 4")
    assert rejected.status_code == 400
    assert [line["line_number"] for line in rejected.json()["data"]] == [2, 3]
    assert "expected iox::column_type::field::float" in rejected.json()["data"][0]["error_message"]
    assert (await query(client, "SELECT count(a) AS n FROM m")).json() == [{"n": 2}]


async def test_a_rejected_line_does_not_fix_the_types_of_its_fields(client: httpx.AsyncClient) -> None:
    await write(client, "m a=1 1")
    await write(client, 'm fresh="text",a="bad" 2')
    assert (await write(client, "m fresh=2.5 3")).status_code == 204


@pytest.mark.parametrize(
    ("statement", "status"),
    [
        ("SELECT nothing FROM m", 500),
        ("SELECT * FROM missing", 400),
        ("SELEC", 400),
        ("SELECT $absent FROM m", 400),
        ("DROP TABLE m", 400),
        ("SELECT 1 / (a - a) FROM m", 200),
        ("SELECT CAST(t AS INT) FROM m", 500),
    ],
)
async def test_errors_have_the_status_of_their_step(
    client: httpx.AsyncClient, statement: str, status: int
) -> None:
    await write(client, "m,t=x a=1 1")
    assert (await query(client, statement)).status_code == status


async def test_values_are_bound(client: httpx.AsyncClient) -> None:
    await write(client, "m,t=it's a=1 1")
    rows = (await query(client, "SELECT a FROM m WHERE t = $t AND a < $limit", t="it's", limit=2)).json()
    assert rows == [{"a": 1.0}]
    assert (await query(client, "SELECT a FROM m WHERE t = $t", t=["x"])).status_code == 400


async def test_databases_and_tokens() -> None:
    transport = httpx.ASGITransport(create_app(MemoryStore([]), ["key"]))
    async with httpx.AsyncClient(transport=transport, base_url="http://influxdb3") as client:
        assert (await client.get("/health")).status_code == 401
        assert (await client.get("/health", headers={"Authorization": "Bearer"})).status_code == 400
        client.headers["Authorization"] = "Bearer key"
        assert (await client.get("/health")).status_code == 200
        missing = await query(client, "SELECT 1")
        assert (missing.status_code, missing.json()) == (404, {"error": "query error: database not found: d"})
        created = [
            await client.post("/api/v3/configure/database", json={"db": name}) for name in ("d", "d", "a b")
        ]
        assert [response.status_code for response in created] == [200, 409, 400]
        assert (await query(client, "SELECT 1 AS one")).json() == [{"one": 1}]
