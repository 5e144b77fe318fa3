"""Columns of 100,000 points, beside those of an earlier version: `python -m bench.columns [--before FOLDER]`.

FOLDER is a checkout of bb26d7f, the last version whose columns were untyped JSON. Each version is served by a
process of its own over the same points. CPU time of the server for each request, rounds interleaved.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from bench.machine import machine

POINTS, BATCH, ROUNDS, REQUESTS = 100_000, 10_000, 10, 4
SERVE = "from compat_rest.main import main; main()"
QUERY = (
    '{ machine(machineId: "S") { series(measurement: "signal", field: "v", range: {last: "PT2H"}) { %s } } }'
)
PRESENT = ("timesMs numbers", "times numbers", "timesMs values")
BEFORE = ("times values",)
PROJECT = Path(__file__).parents[1]


class Served:
    """A version of the gateway in a process of its own, with 100,000 points of one field."""

    def __init__(self, process: psutil.Process, port: int) -> None:
        self._process = process
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)

    def fill(self) -> None:
        """Wait until it serves, and write the points."""
        for _ in range(200):
            try:
                self.client.get("/health")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        now = time.time_ns()
        times = [now - n * 50_000_000 for n in range(POINTS)]
        for start in range(0, POINTS, BATCH):
            lines = "\n".join(f"signal,machine_id=S v={n % 977}.5 {n}" for n in times[start : start + BATCH])
            response = self.client.post("/api/v2/write", params={"bucket": "machines"}, content=lines)
            assert response.status_code == 204, response.text

    def measure(self, selection: str) -> float:
        """The milliseconds of CPU time of a request."""
        began = self._read_cpu_s()
        for _ in range(REQUESTS):
            body = {"query": QUERY % selection}
            answer = self.client.post("/graphql", json=body, headers={"accept-encoding": "identity"}).json()
            columns = answer["data"]["machine"]["series"]
            assert [len(column) for column in columns.values()] == [POINTS] * len(columns)
        return (self._read_cpu_s() - began) * 1e3 / REQUESTS

    def _read_cpu_s(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def serve(checkout: Path) -> Iterator[Served]:
    with socket.socket() as free, tempfile.TemporaryDirectory() as data:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        command = [sys.executable, "-c", SERVE, "serve", "--port", str(port), "--data", data]
        environment = {**os.environ, "PYTHONPATH": str(checkout)}
        process = subprocess.Popen(
            command, cwd=data, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            served = Served(psutil.Process(process.pid), port)
            served.fill()
            yield served
        finally:
            process.terminate()
            process.wait()


def main(before: Path | None) -> None:
    console = Console(width=100)
    console.print(machine())
    with ExitStack() as stack:
        present = stack.enter_context(serve(PROJECT))
        questions = [(present, "now", selection) for selection in PRESENT]
        if before is not None:
            earlier = stack.enter_context(serve(before))
            questions = [*[(earlier, "before", selection) for selection in BEFORE], *questions]
        taken: dict[tuple[str, str], list[float]] = {}
        for _ in range(ROUNDS):
            for served, version, selection in questions:
                taken.setdefault((version, selection), []).append(served.measure(selection))
    medians = {question: statistics.median(values) for question, values in taken.items()}
    first = next(iter(medians.values()))
    table = Table("version", "columns", "CPU ms", "ratio")
    for (version, selection), spent in medians.items():
        table.add_row(version, selection, f"{spent:.1f}", f"{spent / first:.2f}")
    console.print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path)
    main(parser.parse_args().before)
