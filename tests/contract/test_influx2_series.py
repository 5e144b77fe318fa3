"""What only InfluxDB 2 has: Flux and its literals, trees of machines, refusals, and a server that fails."""

import asyncio
import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores.backends.influx import flux, transport
from stores.backends.influx.annotated_csv import Row
from stores.backends.influx.influx2 import Influx2SeriesDatabase, Influx2SeriesStore
from stores.backends.influx.influx2_client import Influx2Client, Values
from stores.contracts.errors import LimitExceeded, Unavailable
from stores.contracts.samples import END_OF_TIME, MACHINE, SECOND, Occurrence, Point, Sample
from stores.contracts.series_queries import Aggregation, SeriesQuery, Source, SourceQuery, Windows
from tests.contract.influx2 import MINUTE, T, every_call, opened, point
from tests.contract.series_stores import over, read_last, read_points, read_windows, send
from tests.randomized import randomized
from tests.servers import InfluxDB2
from tests.serving import open_client

numbers = itertools.count()
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=30)
# Line protocol has no way to write these into a tag.
NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\\"), min_size=1, max_size=20
)


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
async def test_a_literal_is_the_bound_text(influx2_store: Influx2SeriesStore, text: str) -> None:
    script = f'import "array" array.from(rows: [{{_value: p0 == {flux.quote(text)}}}])'
    assert [row.value for row in await influx2_store.client.query(script, {"p0": text})] == [True]
    assert [row.value for row in await influx2_store.client.query(script, {"p0": text + " "})] == [False]


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
    influx2_series: Influx2SeriesDatabase, influxdb2_server: InfluxDB2
) -> None:
    await send(influxdb2_server, influx2_series.database, [point(T, "ab", a=1), point(T + 1, "a\rb", a=2)])
    assert await influx2_series.latest(SeriesQuery("state", ["a"], ["ab", "a\rb"])) == {
        "ab": {"a": Sample(T, 1)}
    }


async def test_two_thousand_machines_are_one_tree(
    influx2_series: Influx2SeriesDatabase, influxdb2_server: InfluxDB2, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"M{n}" for n in range(2000)]
    await send(influxdb2_server, influx2_series.database, [point(T, name, a=1) for name in [*names, "other"]])
    monkeypatch.setattr(transport, "MAX_MACHINES_PER_QUERY", 2000)
    assert set(await influx2_series.latest(SeriesQuery("state", ["a"], names))) == set(names)
    assert await influx2_series.counts(SourceQuery([Source("state", "a")], names, T, T + 1)) == dict.fromkeys(
        names, 1
    )


async def test_a_bucket_that_does_not_exist_is_an_error_that_names_it(
    influx2_store: Influx2SeriesStore,
) -> None:
    for call in every_call(influx2_store.database('no "bucket" ${x}')):
        with pytest.raises(Unavailable, match='no database \'no "bucket" '):
            await call


async def test_a_range_without_length_is_empty(
    influx2_series: Influx2SeriesDatabase, influxdb2_server: InfluxDB2
) -> None:
    """The server refuses such a range."""
    await send(influxdb2_server, influx2_series.database, [point(T, power=True, mode="A")])
    for start, stop in ((T, T), (T + 1, T), (END_OF_TIME, END_OF_TIME), (-(2**63), -(2**63))):
        windows = Windows((start, start + SECOND), SECOND)
        assert await read_points(influx2_series, SeriesQuery("state", ["mode"], ["M1"], start, stop), 5) == {}
        assert (
            await read_windows(
                influx2_series,
                SeriesQuery("state", ["mode"], ["M1"], start, stop),
                windows,
                Aggregation("count"),
            )
            == {}
        )
        assert (
            await read_last(influx2_series, SourceQuery([Source("state", "mode")], ["M1"], start, stop), 5)
            == []
        )
        assert await influx2_series.counts(SourceQuery([Source("state", "mode")], None, start, stop)) == {
            None: 0
        }
        assert (
            await influx2_series.machines_with(SourceQuery([Source("state", "power")], None, start, stop))
            == set()
        )
    assert await influx2_series.latest(SeriesQuery("state", ["mode"], ["M1"], stop=-(2**63))) == {}


async def test_the_future_and_the_time_before_1970_count(
    influx2_series: Influx2SeriesDatabase, influxdb2_server: InfluxDB2
) -> None:
    times = [-(2**63) + 3, -90 * SECOND + 1, -1, 0, time.time_ns() + 3600 * SECOND, 2**63 - 3]
    await send(influxdb2_server, influx2_series.database, [point(at, a=n) for n, at in enumerate(times)])
    source = [Source("state", "a")]
    assert await influx2_series.latest(SeriesQuery("state", ["a"], ["M1"])) == {
        "M1": {"a": Sample(times[-1], 5)}
    }
    samples = await read_points(
        influx2_series, SeriesQuery("state", ["a"], ["M1"], -END_OF_TIME, END_OF_TIME), 6
    )
    assert samples == {"M1": {"a": [Sample(at, n) for n, at in enumerate(times)]}}
    assert await influx2_series.counts(SourceQuery(source, None, -END_OF_TIME, END_OF_TIME)) == {None: 6}
    assert [
        occurrence.time
        for occurrence in await read_last(influx2_series, SourceQuery(source, None, 0, END_OF_TIME), 2)
    ] == times[:-3:-1]
    windows = Windows((-120 * SECOND, -60 * SECOND, 0, 60 * SECOND), 60 * SECOND)
    query = SeriesQuery("state", ["a"], ["M1"], -120 * SECOND, SECOND)
    cells = await read_windows(influx2_series, query, windows, Aggregation("first"))
    assert cells == {"M1": {"a": [(0, 1), (1, 2), (2, 3)]}}


@pytest.mark.parametrize("long", [0, 1_000_000])
async def test_nanoseconds_and_empty_texts_survive_the_csv(
    influx2_series: Influx2SeriesDatabase,
    influxdb2_server: InfluxDB2,
    monkeypatch: pytest.MonkeyPatch,
    long: int,
) -> None:
    monkeypatch.setattr(transport, "THREAD_DECODE_BYTES", long)
    values = ["", " ", '"', "\n", "\n\n,,\n", "#datatype", ",error,reference", "x" * 60_000]
    await send(
        influxdb2_server, influx2_series.database, [point(T + n, a=text) for n, text in enumerate(values)]
    )
    await send(influxdb2_server, influx2_series.database, [point(T, None, a="")])
    samples = [Sample(T + n, text) for n, text in enumerate(values)]
    assert await read_points(influx2_series, SeriesQuery("state", ["a"], ["M1"], T, T + 9), 9) == {
        "M1": {"a": samples}
    }
    assert (await read_last(influx2_series, SourceQuery([Source("state", "a")], None, T, T + 9), 9))[-2:] == [
        Occurrence(T, None, 0, "", ()),
        Occurrence(T, "M1", 0, "", ()),
    ]


async def test_bytes_that_are_no_text_do_not_cost_the_others(
    influx2_series: Influx2SeriesDatabase, influxdb2_server: InfluxDB2
) -> None:
    """The server takes them."""
    async with open_client(influxdb2_server.url) as client:
        written = await client.post(
            "/api/v2/write",
            params={"bucket": influx2_series.database, "org": influxdb2_server.org},
            headers={"Authorization": f"Token {influxdb2_server.token}"},
            content=b"""state,machine_id=\xff a="x" 5
                state,machine_id=M1 a="\xfe" 6
                state,machine_id=M2 a="y" 7""",
        )
        assert written.status_code == 204
    occurrences = await read_last(influx2_series, SourceQuery([Source("state", "a")], None, 0, 9), 5)
    assert [(occurrence.machine, occurrence.value) for occurrence in occurrences] == [
        ("M2", "y"),
        ("M1", "\ufffd"),
        ("\ufffd", "x"),
    ]


async def test_a_quantile_is_requested_with_every_digit(
    influx2_series: Influx2SeriesDatabase, influxdb2_server: InfluxDB2
) -> None:
    await send(influxdb2_server, influx2_series.database, [point(T + n, a=n) for n in range(3)])
    for q, expected in ((0.33333333, 0.0), (0.33333335, 1.0), (1e-12, 0.0), (0.99999999, 2.0)):
        cells = await read_windows(
            influx2_series,
            over(MINUTE, "state", ["a"], ["M1"]),
            MINUTE,
            Aggregation("quantile", q),
        )
        assert cells == {"M1": {"a": [(0, expected)]}}


async def test_too_many_points_are_counted_and_not_read(
    influx2_series: Influx2SeriesDatabase, influxdb2_server: InfluxDB2, monkeypatch: pytest.MonkeyPatch
) -> None:
    await send(
        influxdb2_server, influx2_series.database, [point(T + n, f"M{n % 5}", a=n) for n in range(5000)]
    )
    results = []
    query = Influx2Client.query

    async def noted(client: Influx2Client, script: str, values: Values, bucket: str) -> list[Row]:
        results.append(await query(client, script, values, bucket))
        return results[-1]

    monkeypatch.setattr(Influx2Client, "query", noted)
    machines = [f"M{n}" for n in range(5)]
    with pytest.raises(LimitExceeded):
        await read_points(influx2_series, SeriesQuery("state", ["a"], machines, T, T + 5000), 4999)
    assert sum(map(len, results)) == 5
    samples = await read_points(influx2_series, SeriesQuery("state", ["a"], machines, T, T + 5000), 5000)
    assert sum(len(by_field["a"]) for by_field in samples.values()) == 5000
