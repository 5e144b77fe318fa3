"""What only InfluxDB 2 has: Flux and its literals, trees of machines, refusals, and a server that fails."""

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores.backends.influx import flux, transport
from stores.backends.influx.annotated_csv import Row, parse_rows
from stores.backends.influx.influx2 import Influx2SeriesDatabase, Influx2SeriesStore
from stores.backends.influx.influx2_client import Influx2Client, Values
from stores.backends.influx.transport import UnreadableAnswer
from stores.contracts.errors import LimitExceeded, Unavailable
from stores.contracts.series import (
    END_OF_TIME,
    MACHINE,
    SECOND,
    Aggregation,
    Occurrence,
    Point,
    Sample,
    SeriesDatabase,
    SeriesQuery,
    SeriesStore,
    Source,
    SourceQuery,
    Value,
    Windows,
)
from stores.wrappers.deadline import Deadline
from stores.wrappers.series import WrappedSeriesStore
from tests.contract.series_stores import make_bucket, over, send
from tests.randomized import randomized
from tests.servers import InfluxDB2
from tests.servers.process import free_port

DEADLINE = 1.0
T = 1_772_452_800 * SECOND
MINUTE = Windows((T, T + 60 * SECOND), 60 * SECOND)
numbers = itertools.count()
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=30)
# Line protocol has no way to write these into a tag.
NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\\"), min_size=1, max_size=20
)


def point(at: int, machine: str | None = "M1", **fields: Value) -> Point:
    return Point("state", ((MACHINE, machine),) if machine else (), fields, at)


@asynccontextmanager
async def opened(server: InfluxDB2) -> AsyncIterator[Influx2SeriesStore]:
    store = Influx2SeriesStore(server.url, server.token, server.org)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def opened_with_deadline(server: InfluxDB2, url: str | None = None) -> AsyncIterator[SeriesStore]:
    store = Influx2SeriesStore(url or server.url, server.token, server.org)
    try:
        yield WrappedSeriesStore(store, Deadline("time-series store", DEADLINE))
    finally:
        await store.close()


@pytest.fixture
async def store(influxdb2_server: InfluxDB2) -> AsyncIterator[Influx2SeriesStore]:
    async with opened(influxdb2_server) as store:
        yield store


@pytest.fixture
async def series(store: Influx2SeriesStore, influxdb2_server: InfluxDB2) -> Influx2SeriesDatabase:
    """The series of a bucket that is empty."""
    name = f"influx2-{next(numbers)}-{time.time_ns()}"
    await make_bucket(influxdb2_server, name)
    return store.database(name)


def every_call(series: SeriesDatabase, machine: str = "M1") -> list[Awaitable[object]]:
    sources = [Source("state", "power")]
    return [
        series.catalogue(),
        series.latest(SeriesQuery("state", ["power"], [machine])),
        series.points(SeriesQuery("state", ["power"], [machine], 0, END_OF_TIME), 10),
        series.windows(
            over(MINUTE, "state", ["power"], [machine]),
            MINUTE,
            Aggregation("mean"),
        ),
        series.last(SourceQuery(sources, None, 0, END_OF_TIME), 5),
        series.last(SourceQuery(sources, [machine], 0, END_OF_TIME), 5),
        series.counts(SourceQuery(sources, None, 0, END_OF_TIME)),
        series.machines_with(SourceQuery([Source("state", "power")], None, 0, END_OF_TIME), True),
    ]


@randomized(30)
@given(st.lists(TEXTS, min_size=1, max_size=20))
def test_literals_and_bound_values_are_the_text_that_they_stand_for(
    influxdb2_server: InfluxDB2, texts: list[str]
) -> None:
    async def check() -> None:
        script = flux.Script("")
        rows = ", ".join(  # one that is empty would be refused by `array.from`
            f'{{n: {n}, _value: "=" + {name}, same: {name} == {flux.quote(text)}}}'
            for n, (name, text) in enumerate((script.bind(text), text) for text in texts)
        )
        async with opened(influxdb2_server) as store:
            answered = await store.client.query(f'import "array" array.from(rows: [{rows}])', script.values)
        assert [(row.value, row.columns["same"]) for row in answered] == [
            (f"={text}", "true") for text in texts
        ]

    asyncio.run(check())


@pytest.mark.parametrize("text", ["\r", "a\r\nb", "${1 + 1}", '\\"', "\\x24", "\0\x7f", '") or true //'])
async def test_a_literal_is_the_bound_text(store: Influx2SeriesStore, text: str) -> None:
    script = f'import "array" array.from(rows: [{{_value: p0 == {flux.quote(text)}}}])'
    assert [row.value for row in await store.client.query(script, {"p0": text})] == [True]
    assert [row.value for row in await store.client.query(script, {"p0": text + " "})] == [False]


@randomized(15)
@given(st.lists(NAMES, min_size=1, max_size=20, unique=True), st.data())
def test_a_machine_is_found_by_its_literal_id_or_not_at_all(
    influxdb2_server: InfluxDB2, names: list[str], data: st.DataObject
) -> None:
    measurement = f"m{next(numbers)}-{time.time_ns()}"
    requested = data.draw(st.lists(NAMES | st.sampled_from(names) | st.just(""), max_size=20))

    async def check() -> None:
        points = [Point(measurement, ((MACHINE, name),), {"a": n}, T) for n, name in enumerate(names)]
        await send(influxdb2_server, influxdb2_server.bucket, [*points, Point(measurement, (), {"a": -1}, T)])
        async with opened(influxdb2_server) as store:
            latest = await store.database(influxdb2_server.bucket).latest(
                SeriesQuery(measurement, ["a"], requested)
            )
        assert latest == {n: {"a": Sample(T, names.index(n))} for n in requested if n in names}

    asyncio.run(check())


async def test_an_id_with_a_carriage_return_is_not_taken_for_another(
    series: Influx2SeriesDatabase, influxdb2_server: InfluxDB2
) -> None:
    await send(influxdb2_server, series.database, [point(T, "ab", a=1), point(T + 1, "a\rb", a=2)])
    assert await series.latest(SeriesQuery("state", ["a"], ["ab", "a\rb"])) == {"ab": {"a": Sample(T, 1)}}


async def test_two_thousand_machines_are_one_tree(
    series: Influx2SeriesDatabase, influxdb2_server: InfluxDB2, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"M{n}" for n in range(2000)]
    await send(influxdb2_server, series.database, [point(T, name, a=1) for name in [*names, "other"]])
    monkeypatch.setattr(transport, "MAX_MACHINES_PER_QUERY", 2000)
    assert set(await series.latest(SeriesQuery("state", ["a"], names))) == set(names)
    assert await series.counts(SourceQuery([Source("state", "a")], names, T, T + 1)) == dict.fromkeys(
        names, 1
    )


async def test_a_bucket_that_does_not_exist_is_an_error_that_names_it(store: Influx2SeriesStore) -> None:
    for call in every_call(store.database('no "bucket" ${x}')):
        with pytest.raises(Unavailable, match='no database \'no "bucket" '):
            await call


async def test_a_range_without_length_is_empty(
    series: Influx2SeriesDatabase, influxdb2_server: InfluxDB2
) -> None:
    """The server refuses such a range."""
    await send(influxdb2_server, series.database, [point(T, power=True, mode="A")])
    for start, stop in ((T, T), (T + 1, T), (END_OF_TIME, END_OF_TIME), (-(2**63), -(2**63))):
        windows = Windows((start, start + SECOND), SECOND)
        assert await series.points(SeriesQuery("state", ["mode"], ["M1"], start, stop), 5) == {}
        assert (
            await series.windows(
                SeriesQuery("state", ["mode"], ["M1"], start, stop),
                windows,
                Aggregation("count"),
            )
            == {}
        )
        assert await series.last(SourceQuery([Source("state", "mode")], ["M1"], start, stop), 5) == []
        assert await series.counts(SourceQuery([Source("state", "mode")], None, start, stop)) == {None: 0}
        assert (
            await series.machines_with(SourceQuery([Source("state", "power")], None, start, stop), True)
            == set()
        )
    assert await series.latest(SeriesQuery("state", ["mode"], ["M1"], stop=-(2**63))) == {}


async def test_the_future_and_the_time_before_1970_count(
    series: Influx2SeriesDatabase, influxdb2_server: InfluxDB2
) -> None:
    times = [-(2**63) + 3, -90 * SECOND + 1, -1, 0, time.time_ns() + 3600 * SECOND, 2**63 - 3]
    await send(influxdb2_server, series.database, [point(at, a=n) for n, at in enumerate(times)])
    source = [Source("state", "a")]
    assert await series.latest(SeriesQuery("state", ["a"], ["M1"])) == {"M1": {"a": Sample(times[-1], 5)}}
    samples = await series.points(SeriesQuery("state", ["a"], ["M1"], -END_OF_TIME, END_OF_TIME), 6)
    assert samples == {"M1": {"a": [Sample(at, n) for n, at in enumerate(times)]}}
    assert await series.counts(SourceQuery(source, None, -END_OF_TIME, END_OF_TIME)) == {None: 6}
    assert [
        occurrence.time for occurrence in await series.last(SourceQuery(source, None, 0, END_OF_TIME), 2)
    ] == times[:-3:-1]
    windows = Windows((-120 * SECOND, -60 * SECOND, 0, 60 * SECOND), 60 * SECOND)
    query = SeriesQuery("state", ["a"], ["M1"], -120 * SECOND, SECOND)
    cells = await series.windows(query, windows, Aggregation("first"))
    assert cells == {"M1": {"a": [(0, 1), (1, 2), (2, 3)]}}


@pytest.mark.parametrize("long", [0, 1_000_000])
async def test_nanoseconds_and_empty_texts_survive_the_csv(
    series: Influx2SeriesDatabase, influxdb2_server: InfluxDB2, monkeypatch: pytest.MonkeyPatch, long: int
) -> None:
    monkeypatch.setattr(transport, "THREAD_DECODE_BYTES", long)
    values = ["", " ", '"', "\n", "\n\n,,\n", "#datatype", ",error,reference", "x" * 60_000]
    await send(influxdb2_server, series.database, [point(T + n, a=text) for n, text in enumerate(values)])
    await send(influxdb2_server, series.database, [point(T, None, a="")])
    samples = [Sample(T + n, text) for n, text in enumerate(values)]
    assert await series.points(SeriesQuery("state", ["a"], ["M1"], T, T + 9), 9) == {"M1": {"a": samples}}
    assert (await series.last(SourceQuery([Source("state", "a")], None, T, T + 9), 9))[-2:] == [
        Occurrence(T, None, 0, "", ()),
        Occurrence(T, "M1", 0, "", ()),
    ]


async def test_bytes_that_are_no_text_do_not_cost_the_others(
    series: Influx2SeriesDatabase, influxdb2_server: InfluxDB2
) -> None:
    """The server takes them."""
    async with httpx.AsyncClient(base_url=influxdb2_server.url, trust_env=False) as client:
        written = await client.post(
            "/api/v2/write",
            params={"bucket": series.database, "org": influxdb2_server.org},
            headers={"Authorization": f"Token {influxdb2_server.token}"},
            content=b"""state,machine_id=\xff a="x" 5
                state,machine_id=M1 a="\xfe" 6
                state,machine_id=M2 a="y" 7""",
        )
        assert written.status_code == 204
    occurrences = await series.last(SourceQuery([Source("state", "a")], None, 0, 9), 5)
    assert [(occurrence.machine, occurrence.value) for occurrence in occurrences] == [
        ("M2", "y"),
        ("M1", "\ufffd"),
        ("\ufffd", "x"),
    ]


async def test_a_quantile_is_asked_for_to_the_last_digit(
    series: Influx2SeriesDatabase, influxdb2_server: InfluxDB2
) -> None:
    await send(influxdb2_server, series.database, [point(T + n, a=n) for n in range(3)])
    for q, expected in ((0.33333333, 0.0), (0.33333335, 1.0), (1e-12, 0.0), (0.99999999, 2.0)):
        cells = await series.windows(
            over(MINUTE, "state", ["a"], ["M1"]),
            MINUTE,
            Aggregation("quantile", q),
        )
        assert cells == {"M1": {"a": [(0, expected)]}}


async def test_too_many_points_are_counted_and_not_read(
    series: Influx2SeriesDatabase, influxdb2_server: InfluxDB2, monkeypatch: pytest.MonkeyPatch
) -> None:
    await send(influxdb2_server, series.database, [point(T + n, f"M{n % 5}", a=n) for n in range(5000)])
    results = []
    query = Influx2Client.query

    async def noted(client: Influx2Client, script: str, values: Values, bucket: str) -> list[Row]:
        results.append(await query(client, script, values, bucket))
        return results[-1]

    monkeypatch.setattr(Influx2Client, "query", noted)
    machines = [f"M{n}" for n in range(5)]
    with pytest.raises(LimitExceeded):
        await series.points(SeriesQuery("state", ["a"], machines, T, T + 5000), 4999)
    assert sum(map(len, results)) == 5
    samples = await series.points(SeriesQuery("state", ["a"], machines, T, T + 5000), 5000)
    assert sum(len(by_field["a"]) for by_field in samples.values()) == 5000


@pytest.mark.parametrize("wrong", ["token", "organisation", "address", "server"])
async def test_what_the_server_refuses_is_unavailable_and_tells_nothing(
    influxdb2_server: InfluxDB2, caplog: pytest.LogCaptureFixture, wrong: str
) -> None:
    token = "a-secret-token" if wrong == "token" else influxdb2_server.token
    org = "another" if wrong == "organisation" else influxdb2_server.org
    url = influxdb2_server.url + ("/nowhere" if wrong == "address" else "")
    url = f"http://127.0.0.1:{free_port()}" if wrong == "server" else url
    store = Influx2SeriesStore(url, token, org)
    with caplog.at_level(logging.DEBUG):
        for call in [*every_call(store.database(influxdb2_server.bucket)), store.ping()]:
            with pytest.raises(Unavailable) as raised:
                await call
            assert not any(secret in str(raised.value) for secret in (token, org, "127.0.0.1", "40"))
    assert "InfluxDB 2: " in caplog.text
    assert token not in caplog.text
    await store.close()


async def test_an_error_in_the_place_of_a_table_is_an_error(
    store: Influx2SeriesStore, caplog: pytest.LogCaptureFixture
) -> None:
    """It comes after rows, with status 200."""
    script = """import "array" rows = array.from(rows: [{_value: 0}])
        rows |> yield(name: "a")
        rows |> map(fn: (r) => ({r with _value: 1 / r._value})) |> yield(name: "b")"""
    with pytest.raises(Unavailable) as raised:
        await store.client.query(script, {})
    assert "divide" not in str(raised.value)
    assert "divide by zero" in caplog.text


@pytest.mark.parametrize(
    "answer", ["<html></html>", "<html>\n</html>", "{}", ",result,table\r\n,_result,0\r\n"]
)
def test_an_answer_that_is_no_annotated_csv_is_refused(answer: str) -> None:
    with pytest.raises(UnreadableAnswer):
        list(parse_rows(answer))
    assert list(parse_rows("\r\n")) == []


async def test_a_server_that_hangs_or_stops_is_told_in_time_and_found_again(
    own_influxdb2_server: InfluxDB2,
) -> None:
    server = own_influxdb2_server
    await send(server, server.bucket, [point(T, power=True)])
    expected = {"M1": {"power": Sample(T, True)}}
    async with opened_with_deadline(server) as store:
        series = store.database(server.bucket)
        assert await series.latest(SeriesQuery("state", ["power"], ["M1"])) == expected
        for fail, mend in ((server.pause, server.resume), (server.stop, server.start)):
            fail()
            async with asyncio.timeout(10 * DEADLINE):
                failures = await asyncio.gather(*map(_failure, [*every_call(series), store.ping()]))
            # A CancelledError would pass for a cancellation of the caller.
            assert {type(failure) for failure in failures} == {Unavailable}
            assert "127.0.0.1" not in str(failures)
            mend()
            assert await series.latest(SeriesQuery("state", ["power"], ["M1"])) == expected


async def _failure(call: Awaitable[object]) -> BaseException | None:
    try:
        await call
    except BaseException as error:  # noqa: BLE001
        return error
    return None


@pytest.mark.parametrize("cut", [True, False])
async def test_an_answer_that_ends_in_the_middle_is_unavailable(
    series: Influx2SeriesDatabase, influxdb2_server: InfluxDB2, cut: bool
) -> None:
    await send(influxdb2_server, series.database, [point(T + n, a=n) for n in range(2000)])
    async with (
        relay(influxdb2_server.url, 3000, cut) as url,
        opened_with_deadline(influxdb2_server, url) as store,
    ):
        broken = store.database(series.database)
        for _ in range(3):
            async with asyncio.timeout(10 * DEADLINE):
                failure = await _failure(
                    broken.last(SourceQuery([Source("state", "a")], ["M1"], T, END_OF_TIME), 2000)
                )
            assert type(failure) is Unavailable
        assert await broken.latest(SeriesQuery("state", ["a"], ["M1"])) == {
            "M1": {"a": Sample(T + 1999, 1999)}
        }


@asynccontextmanager
async def relay(url: str, passed: int, cut: bool) -> AsyncIterator[str]:
    """A way to a server on which a connection gets so many bytes of answers; then it is cut, or hangs."""
    address = urlsplit(url)
    serving = set()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        replies, requests = await asyncio.open_connection(address.hostname, address.port)
        forwarding = asyncio.create_task(forward(reader, requests))
        answering = asyncio.create_task(answer(replies, writer))
        # The caller's end of the connection is the end of both.
        await asyncio.wait([forwarding, *([answering] if cut else [])], return_when=asyncio.FIRST_COMPLETED)
        for task in (forwarding, answering):
            task.cancel()
        for end in (requests, writer):
            end.close()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = passed
        while left > 0 and (data := await reader.read(min(left, 4096))):
            left -= len(data)
            writer.write(data)
            await writer.drain()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await asyncio.wait([task for task in serving if task], timeout=5)


async def test_a_call_that_is_given_up_leaves_the_store_usable(
    series: Influx2SeriesDatabase, influxdb2_server: InfluxDB2
) -> None:
    await send(influxdb2_server, series.database, [point(T, power=True)])
    for _ in range(10):
        call = asyncio.ensure_future(series.latest(SeriesQuery("state", ["power"], ["M1"])))
        await asyncio.sleep(0)
        call.cancel()
        assert type(await _failure(call)) is asyncio.CancelledError
    assert await series.latest(SeriesQuery("state", ["power"], ["M1"])) == {"M1": {"power": Sample(T, True)}}
