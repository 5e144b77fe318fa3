"""InfluxDB 2 refuses, hangs, stops, or answers in part: errors that say so and tell nothing."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from stores.backends.influx.annotated_csv import parse_rows
from stores.backends.influx.influx2 import Influx2SeriesDatabase, Influx2SeriesStore
from stores.backends.influx.transport import UnreadableAnswer
from stores.contracts.errors import Unavailable
from stores.contracts.samples import END_OF_TIME, Sample
from stores.contracts.series_queries import SeriesQuery, Source, SourceQuery
from tests.contract.influx2 import DEADLINE, T, every_call, opened_with_deadline, point
from tests.contract.series_stores import read_last, send
from tests.patience import repeat_until_available
from tests.servers import InfluxDB2
from tests.servers.process import free_port


@pytest.mark.parametrize("wrong", ["token", "organisation", "address", "server"])
async def test_a_rejection_by_the_server_is_unavailable_without_details(
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
    influx2_store: Influx2SeriesStore, caplog: pytest.LogCaptureFixture
) -> None:
    """It comes after rows, with status 200."""
    script = """import "array" rows = array.from(rows: [{_value: 0}])
        rows |> yield(name: "a")
        rows |> map(fn: (r) => ({r with _value: 1 / r._value})) |> yield(name: "b")"""
    with pytest.raises(Unavailable) as raised:
        await influx2_store.client.query(script, {})
    assert "divide" not in str(raised.value)
    assert "divide by zero" in caplog.text


@pytest.mark.parametrize(
    "answer", ["<html></html>", "<html>\n</html>", "{}", ",result,table\r\n,_result,0\r\n"]
)
def test_an_answer_that_is_no_annotated_csv_is_refused(answer: str) -> None:
    with pytest.raises(UnreadableAnswer):
        list(parse_rows(answer))
    assert list(parse_rows("\r\n")) == []


async def test_a_server_that_hangs_or_stops_is_unavailable_in_time_and_recovers(
    own_influxdb2_server: InfluxDB2,
) -> None:
    server = own_influxdb2_server
    await send(server, server.bucket, [point(T, power=True)])
    expected = {"M1": {"power": Sample(T, True)}}
    async with opened_with_deadline(server) as store:
        series = store.database(server.bucket)
        query = SeriesQuery("state", ["power"], ["M1"])
        assert await repeat_until_available(lambda: series.latest(query)) == expected
        for fail, mend in ((server.pause, server.resume), (server.stop, server.start)):
            fail()
            async with asyncio.timeout(10 * DEADLINE):
                failures = await asyncio.gather(*map(_failure, [*every_call(series), store.ping()]))
            # A CancelledError would pass for a cancellation of the caller.
            assert {type(failure) for failure in failures} == {Unavailable}
            assert "127.0.0.1" not in str(failures)
            mend()
            assert await repeat_until_available(lambda: series.latest(query)) == expected


async def _failure(call: Awaitable[object]) -> BaseException | None:
    try:
        await call
    except BaseException as error:  # noqa: BLE001 - the test inspects it
        return error
    return None


@pytest.mark.parametrize("cut", [True, False])
async def test_an_answer_that_ends_in_the_middle_is_unavailable(
    influx2_series: Influx2SeriesDatabase, influxdb2_server: InfluxDB2, cut: bool
) -> None:
    await send(influxdb2_server, influx2_series.database, [point(T + n, a=n) for n in range(2000)])
    async with (
        relay(influxdb2_server.url, 3000, cut) as url,
        opened_with_deadline(influxdb2_server, url) as store,
    ):
        broken = store.database(influx2_series.database)
        for _ in range(3):
            async with asyncio.timeout(10 * DEADLINE):
                failure = await _failure(
                    read_last(broken, SourceQuery([Source("state", "a")], ["M1"], T, END_OF_TIME), 2000)
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


async def test_a_cancelled_call_leaves_the_store_usable(
    influx2_series: Influx2SeriesDatabase, influxdb2_server: InfluxDB2
) -> None:
    await send(influxdb2_server, influx2_series.database, [point(T, power=True)])
    for _ in range(10):
        call = asyncio.ensure_future(influx2_series.latest(SeriesQuery("state", ["power"], ["M1"])))
        await asyncio.sleep(0)
        call.cancel()
        assert type(await _failure(call)) is asyncio.CancelledError
    assert await influx2_series.latest(SeriesQuery("state", ["power"], ["M1"])) == {
        "M1": {"power": Sample(T, True)}
    }
