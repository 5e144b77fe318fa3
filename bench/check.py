"""Times that must not be exceeded: `make bench-check`. The suite asserts calls and bytes, and no times.

Each limit is several times what two idle cores take, so that it fails for a change of the algorithm and
not for a busy machine. The best of a few rounds counts.
"""

import asyncio
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from bench import lag
from bench.credentials import measure_credentials
from bench.graph import NESTED, PAGE, fill, measure_time_to_first_answer, run
from bench.machine import machine
from bench.overhead import measure_overhead
from bench.series import DATABASE, points, questions
from schema.server.bodies import BadRequest
from schema.server.ingest_parsing import PointBody
from schema.server.priority_loop import PriorityLoop
from stores.contracts.errors import BadUserInput, GatewayError, Unavailable
from stores.contracts.series import WritableSeriesStore
from stores.contracts.series_queries import SeriesQuery
from stores.entities.icons import check_content
from stores.opening import open_documents, open_series
from tests.servers import ServerUnavailable

ROUNDS = 5
DEADLINE_S = 0.5


class Measured(NamedTuple):
    """What was measured, in milliseconds, and the limit."""

    name: str
    took_ms: float
    limit_ms: float


async def measure_best_of(work: Callable[[], Awaitable[Any]], rounds: int = ROUNDS) -> float:
    """The shortest of some rounds, in milliseconds."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        await work()
        times.append((time.perf_counter() - began) * 1e3)
    return min(times)


async def check_documents(folder: Path) -> list[Measured]:
    """The nested query of 1,000 devices, and the last page of 20,000."""
    store = open_documents(None, data=folder, deadline=60)
    await fill(store, "nested", 1_000, 10)
    nested = await measure_best_of(lambda: run(store, NESTED, o="nested"))
    await fill(store, "long", 20_000, 1)
    cursor = None
    for _ in range(19):
        data, _ = await run(store, PAGE, a=cursor, n=1000)
        cursor = data["application"]["devices"]["pageInfo"]["endCursor"]
    page = await measure_best_of(lambda: run(store, PAGE, a=cursor, n=50))
    await store.close()
    return [
        Measured("1,000 devices of 10 applications, with connectors", nested, 50),
        Measured("50 devices after the first 19,000", page, 10),
    ]


async def check_series(folder: Path) -> list[Measured]:
    """Latest values and windows over 300,000 points of 200 machines."""
    store = open_series(None, data=folder, deadline=60)
    assert isinstance(store, WritableSeriesStore)
    numbered_points = points(300_000)
    while batch := list(islice(numbered_points, 5000)):
        await store.write(DATABASE, batch)
    calls = questions(store)
    limits = {"latest status, 200 machines": 25.0, "5 min means of 24 h, 200 machines": 50.0}
    measured = [Measured(name, await measure_best_of(calls[name]), limit) for name, limit in limits.items()]
    await store.close()
    return measured


async def check_hostile_input(folder: Path) -> list[Measured]:
    """Work for an upload or a body of points that was made to be expensive is linear in its size."""
    nested = b"".join(b'<g xmlns:n%d="urn:%d">' % (n, n) for n in range(18_000))
    svg = b'<svg xmlns="http://www.w3.org/2000/svg">' + nested
    body = b'm a="' + b'\\"\n' * 400_000
    return [
        Measured(
            f"an SVG of {len(svg):,} nested bytes",
            await measure_best_of(lambda: _rejects(check_content, svg)),
            500,
        ),
        Measured(
            f"{len(body):,} bytes of points with an open quote",
            await measure_best_of(lambda: _rejects(_parse_points, body)),
            3_000,
        ),
    ]


def _parse_points(body: bytes) -> None:
    """Parse all lines. Raises `BadUserInput` if one of them is not valid."""
    points = PointBody(1)
    points.decode(body, "identity")
    findings, _ = points.check()
    if findings.invalid.count:
        raise BadUserInput(findings.invalid.first[0].message)


async def _rejects(work: Callable[..., Any], *arguments: Any) -> None:
    try:
        work(*arguments)
    except (GatewayError, BadRequest):
        return
    raise AssertionError("hostile input was accepted")


async def check_credentials(folder: Path) -> list[Measured]:
    """The check of an API key or of a cached token adds next to nothing to a request: CPU time."""
    return [Measured(name, took_ms, 0.05) for name, took_ms in await measure_credentials(folder)]


async def check_overhead(folder: Path) -> list[Measured]:
    """Credentials, limits and cost together add next to nothing to a small query: CPU time."""
    return [Measured("CPU of credentials, limits and cost", await measure_overhead(folder), 0.08)]


async def check_deadlines(folder: Path) -> list[Measured]:
    """A server that takes connections and answers nothing is given up at the deadline."""
    with run_silent_server() as address:
        documents = open_documents(f"mongodb://{address}", data=folder, deadline=DEADLINE_S)
        series = open_series(f"http://{address}", data=folder, deadline=DEADLINE_S)
        query = SeriesQuery("state", ["power"], ["M1"])
        limit = DEADLINE_S * 1e3 * 1.5
        measured = [
            Measured("a silent MongoDB", await measure_best_of(lambda: _fails(documents.ping()), 1), limit),
            Measured(
                "a silent InfluxDB 3",
                await measure_best_of(lambda: _fails(series.database("d").latest(query)), 1),
                limit,
            ),
        ]
        await documents.close()
        await series.close()
    return measured


async def check_event_loop(folder: Path) -> list[Measured]:
    """No request holds the event loop for long, over any store: of each, the three that hold it longest."""
    measured = []
    for store, open_store in lag.STORES.items():
        folder.joinpath(store).mkdir()
        try:
            async with open_store(folder / store) as settings:
                holds = await lag.measure(settings)
        except ServerUnavailable as unavailable:
            print(f"not measured: {store}: {unavailable}")
            continue
        longest = sorted(((hold, request) for request, (hold, _, _) in holds.items()), reverse=True)[:3]
        measured += [
            Measured(f"the event loop held by {request}, over {store}", hold, lag.MAX_HOLD_MS)
            for hold, request in longest
        ]
    return measured


async def _fails(call: Awaitable[Any]) -> None:
    try:
        await call
    except Unavailable:
        return
    raise AssertionError("a silent server has answered")


@contextmanager
def run_silent_server() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        yield f"{host}:{port}"


CHECKS = (
    check_documents,
    check_series,
    check_hostile_input,
    check_credentials,
    check_overhead,
    check_deadlines,
    check_event_loop,
)


async def main() -> int:
    console = Console()
    console.print(machine())
    table = Table("", "ms", "at most ms", "")
    with tempfile.TemporaryDirectory() as name:
        measured = [Measured("start to first answer", measure_time_to_first_answer()[0] * 1e3, 3_000)]
        for check in CHECKS:
            folder = Path(name) / check.__name__
            folder.mkdir()
            measured += await check(folder)
    for what in measured:
        exceeded = what.took_ms > what.limit_ms
        table.add_row(
            what.name, _format(what.took_ms), _format(what.limit_ms), "EXCEEDED" if exceeded else ""
        )
    console.print(table)
    return int(any(what.took_ms > what.limit_ms for what in measured))


def _format(ms: float) -> str:
    return f"{ms:,.0f}" if ms >= 10 else f"{ms:.3f}"


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=PriorityLoop) as runner:
        sys.exit(runner.run(main()))
