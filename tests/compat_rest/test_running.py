"""How `serve` runs: it drains at SIGTERM, takes over changed settings at SIGHUP, and has workers."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from uvicorn.lifespan.on import LifespanOn

from compat_rest.commands.serving import Serving
from schema.server.settings import Settings
from schema.server.unserved_connections import MAX_OPEN
from tests.compat_rest.test_commands import GATEWAY, fails
from tests.servers import Server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals"),
]
PATIENCE_S = 60.0


class Gateway:
    """A serving process, and what it logs."""

    def __init__(self, folder: Path, *options: str, **environment: str) -> None:
        self.log = folder / "log"
        command = [*GATEWAY, "serve", "--port", "0", "--data", str(folder / "data"), *options]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=folder,
                env=os.environ | environment,
            )
        assert self.process.stdout is not None
        words = self.process.stdout.readline().split()
        self.url = next(word for word in words if word.startswith("http://")).removesuffix("/graphql")
        self.port = int(self.url.rpartition(":")[2])
        self.wait_for(self.is_up)

    def is_up(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return bool(self.ask("{ __typename }") == {"data": {"__typename": "Query"}})
        return False

    def ask(self, query: str) -> Any:
        return httpx.post(f"{self.url}/graphql", json={"query": query}, trust_env=False).json()

    def get_ready(self) -> tuple[int, str]:
        response = httpx.get(f"{self.url}/health/ready", trust_env=False)
        return response.status_code, response.json()["status"]

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.05)

    def wait_for_log(self, text: str) -> None:
        self.wait_for(lambda: text in self.log.read_text())


@contextlib.contextmanager
def gateway(folder: Path, *options: str, **environment: str) -> Iterator[Gateway]:
    serving = Gateway(folder, *options, **environment)
    try:
        yield serving
    finally:
        serving.send(signal.SIGKILL)
        serving.process.communicate()


@contextlib.contextmanager
def half_a_request(port: int) -> Iterator[Callable[[], bytes]]:
    """A request whose body arrives in two parts. The second one is sent when the value is called."""
    body = b'{"query": "{ __typename }"}'
    head = b"POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body[:9]))

        def finish() -> bytes:
            client.sendall(body[9:])
            return b"".join(iter(lambda: client.recv(4096), b""))

        yield finish


def test_it_ends_when_a_probe_was_told_and_what_runs_has_finished(tmp_path: Path) -> None:
    with gateway(tmp_path, SYNC_GATEWAY_SERVER__DRAIN="60") as serving:
        assert serving.get_ready() == (200, "ok")
        with half_a_request(serving.port) as finish:
            time.sleep(0.2)  # until the server has read it
            serving.send(signal.SIGTERM)
            time.sleep(0.3)
            assert serving.is_up()  # it goes on until a probe knows
            assert serving.get_ready() == (503, "draining")
            serving.wait_for(lambda: not serving.is_up())
            answer = finish()
            assert answer.startswith(b"HTTP/1.1 200 OK")
            assert b"connection: close" in answer.lower()
        assert serving.process.wait(PATIENCE_S) == 0


def test_what_does_not_finish_is_cancelled(tmp_path: Path) -> None:
    with gateway(tmp_path, SYNC_GATEWAY_SERVER__GRACE="0.5") as serving, half_a_request(serving.port):
        time.sleep(0.2)
        serving.send(signal.SIGTERM)
        assert serving.process.wait(PATIENCE_S) == 0


def test_the_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with gateway(tmp_path, SYNC_GATEWAY_SERVER__DRAIN="600") as serving:
        assert serving.get_ready() == (200, "ok")
        serving.send(signal.SIGINT)
        time.sleep(0.3)
        serving.send(signal.SIGINT)
        assert serving.process.wait(PATIENCE_S) == 0


def test_changed_settings_are_taken_over(tmp_path: Path) -> None:
    config, nested = tmp_path / "config.yaml", "{ organizations { nodes { applications { name } } } }"
    config.write_text("limits: {depth: 20}\n")
    with gateway(tmp_path, "--config", str(config)) as serving:
        assert "errors" not in serving.ask(nested)
        changed = "limits: {depth: 4, store: 'redis://127.0.0.1:1'}\ntracing: {sample: 0.5}\n"
        config.write_text(f"{changed}log: {{level: debug}}\nserver: {{drain: 1}}\n")
        serving.send(signal.SIGHUP)
        serving.wait_for_log("the settings are reloaded")
        for name in ("server.drain", "limits.store", "tracing"):
            serving.wait_for_log(f"{name} has changed: it takes effect when the gateway is restarted")
        deep = "{ organizations { nodes { applications { devices { nodes { name } } } } } }"
        [error] = serving.ask(deep)["errors"]
        assert error["extensions"]["limit"] == "depth"
        config.write_text("limits:\n  depth: 4\n  dept: 5\n")
        serving.send(signal.SIGHUP)
        serving.wait_for_log(f"{config}:3: limits.dept: there is no such setting")
        assert "the old ones stay" in serving.log.read_text()
        assert serving.ask(deep)["errors"]
        config.write_text("graphql: {documents: none.json}\n")
        serving.send(signal.SIGHUP)
        serving.wait_for_log("none.json: No such file")
        assert serving.ask(deep)["errors"]
        config.write_text("limits: {depth: 20}\n")
        serving.send(signal.SIGHUP)
        serving.wait_for(lambda: "errors" not in serving.ask(deep))
        serving.send(signal.SIGTERM)
        assert serving.process.wait(PATIENCE_S) == 0


def test_a_request_finishes_with_the_settings_that_it_began_with(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("limits: {depth: 20}\n")
    with gateway(tmp_path, "--config", str(config)) as serving, half_a_request(serving.port) as finish:
        time.sleep(0.2)
        config.write_text("limits: {depth: 10}\n")
        serving.send(signal.SIGHUP)
        serving.wait_for_log("the settings are reloaded")
        serving.send(signal.SIGTERM)
        assert finish().startswith(b"HTTP/1.1 200 OK")
        assert serving.process.wait(PATIENCE_S) == 0


async def test_settings_are_taken_over_one_time_after_another(tmp_path: Path) -> None:
    """Two at once would both end the same application, and one of the new ones never."""
    settings = Settings(data=tmp_path)
    serving = Serving(settings, lambda: settings, None, None)
    config = serving.make_server().config
    config.load()
    lifespan = LifespanOn(config)
    await lifespan.startup()

    async def count_tasks(reloads: int) -> int:
        await asyncio.gather(*(serving.reload() for _ in range(reloads)))
        await asyncio.sleep(0.5)  # for the tasks of applications that have ended
        return len(asyncio.all_tasks())

    assert await count_tasks(5) == await count_tasks(1)
    await lifespan.shutdown()


def test_the_embedded_stores_serve_one_process(tmp_path: Path) -> None:
    message = fails("serve", "--workers", "2", "--port", "0", "--data", str(tmp_path))
    assert "the embedded stores serve one process" in message


def count_connections(
    serving: Gateway, workers: list[psutil.Process], clients: list[httpx.Client]
) -> list[int]:
    """How many of the connections of clients each worker has; each client opens one."""
    for client in clients:
        assert client.get("/health/live").status_code == 200
    return [
        sum(1 for c in worker.net_connections() if (c.laddr.port, c.status) == (serving.port, "ESTABLISHED"))
        for worker in workers
    ]


def spread(serving: Gateway, workers: list[psutil.Process], number: int) -> list[int]:
    """How many of so many connections, which are closed again, each worker gets."""
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(httpx.Client(base_url=serving.url, trust_env=False)) for _ in range(number)
        ]
        return count_connections(serving, workers, clients)


# Long because it is one life of workers, step by step.
def test_workers_share_connections_and_are_replaced(
    tmp_path: Path, mongodb_server: Server, influxdb3_server: Server
) -> None:
    environment = {"MONGODB_URI": f"{mongodb_server.url}/default", "INFLUXDB_HOST": influxdb3_server.url}
    environment["SYNC_GATEWAY_SERVER__DRAIN"] = "60"
    with gateway(tmp_path, "--workers", "2", **environment) as serving, contextlib.ExitStack() as stack:
        first = psutil.Process(serving.process.pid)
        workers = first.children()
        assert len(workers) == 2
        serving.wait_for(lambda: spread(serving, workers, 2) == [1, 1])
        clients = [stack.enter_context(httpx.Client(base_url=serving.url, trust_env=False)) for _ in range(8)]
        assert count_connections(serving, workers, clients) == [4, 4]
        for client in clients:
            client.post("/graphql", json={"query": "query Counted { __typename }"})
        for client in clients[:2]:  # of both workers
            metrics = client.get("/metrics").text
            assert 'sync_gateway_requests_total{code="OK",operation="Counted",role="operator"} 8.0' in metrics
            assert "sync_gateway_connections 8.0" in metrics
        workers[0].kill()
        serving.wait_for_log("it is replaced")
        serving.wait_for(lambda: len(first.children()) == 2)
        for _ in range(4):
            assert serving.is_up()
        workers = first.children()
        assert serving.get_ready() == (200, "ok")
        metrics = httpx.get(f"{serving.url}/metrics", trust_env=False).text  # what the dead one counted stays
        assert 'sync_gateway_requests_total{code="OK",operation="Counted",role="operator"} 8.0' in metrics
        with half_a_request(serving.port) as finish:
            time.sleep(0.2)
            serving.send(signal.SIGTERM)
            time.sleep(0.2)
            assert serving.get_ready() == (503, "draining")
            serving.wait_for(lambda: not serving.is_up())
            assert finish().startswith(b"HTTP/1.1 200 OK")
        assert serving.process.wait(PATIENCE_S) == 0
        assert not any(worker.is_running() for worker in workers)


def test_a_worker_that_is_replaced_begins_with_the_latest_settings(
    tmp_path: Path, mongodb_server: Server, influxdb3_server: Server
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("limits: {depth: 20}\n")
    environment = {"MONGODB_URI": f"{mongodb_server.url}/default", "INFLUXDB_HOST": influxdb3_server.url}
    with gateway(tmp_path, "--workers", "2", "--config", str(config), **environment) as serving:
        deep = "{ organizations { nodes { applications { devices { nodes { name } } } } } }"
        assert "errors" not in serving.ask(deep)
        config.write_text("limits: {depth: 4}\n")
        serving.send(signal.SIGHUP)
        serving.wait_for(lambda: serving.log.read_text().count("the settings are reloaded") == 2)
        config.write_text("limits: {dept: 4}\n")  # this one is not taken over, also not by a new worker
        old = psutil.Process(serving.process.pid).children()
        for worker in old:
            worker.kill()
        serving.wait_for(lambda: serving.log.read_text().count(" is process ") == 4)
        serving.send(signal.SIGHUP)  # while they start, which it does not end
        serving.wait_for(lambda: serving.log.read_text().count("the old ones stay") == 2)
        assert all(serving.ask(deep)["errors"] for _ in range(2))
        assert serving.log.read_text().count(" is process ") == 4


def test_a_worker_that_cannot_start_is_tried_ever_later(
    tmp_path: Path, mongodb_server: Server, influxdb3_server: Server
) -> None:
    environment = {"MONGODB_URI": f"{mongodb_server.url}/default", "INFLUXDB_HOST": influxdb3_server.url}
    manifest = tmp_path / "manifest.json"
    environment["SYNC_GATEWAY_GRAPHQL__DOCUMENTS"] = str(manifest)
    manifest.write_text("{}")
    with gateway(tmp_path, "--workers", "2", **environment) as serving:
        first = psutil.Process(serving.process.pid)
        serving.wait_for(lambda: spread(serving, first.children(), 2) == [1, 1])
        manifest.unlink()
        lost, other = first.children()
        lost.kill()
        serving.wait_for(lambda: serving.log.read_text().count("No such file") == 2)
        assert all(serving.is_up() for _ in range(4))
        assert serving.get_ready() == (200, "ok")
        other.kill()
        serving.wait_for_log("worker 1 cannot start")
        with contextlib.ExitStack() as stack:
            for _ in range(MAX_OPEN + 1):  # clients that read no answer
                stack.enter_context(socket.create_connection(("127.0.0.1", serving.port)))
            assert serving.get_ready() == (503, "unavailable")
        assert serving.log.read_text().count("worker 0 cannot start") == 1
        manifest.write_text("{}")
        serving.send(signal.SIGHUP)  # at once: the next try would be in seconds
        serving.wait_for(lambda: serving.log.read_text().count("serves again") == 2)
        assert serving.get_ready() == (200, "ok")
        serving.send(signal.SIGTERM)
        assert serving.process.wait(PATIENCE_S) == 0


def test_workers_that_cannot_start_end_the_gateway(
    tmp_path: Path, mongodb_server: Server, influxdb3_server: Server
) -> None:
    environment = {"MONGODB_URI": f"{mongodb_server.url}/default", "INFLUXDB_HOST": influxdb3_server.url}
    environment["SYNC_GATEWAY_GRAPHQL__DOCUMENTS"] = str(tmp_path / "none.json")
    options = ("--workers", "2", "--port", "0", "--data", str(tmp_path / "data"))
    assert "none.json: No such file" in fails("serve", *options, **environment)


def test_workers_end_with_the_process_that_gives_them_connections(
    tmp_path: Path, mongodb_server: Server, influxdb3_server: Server
) -> None:
    environment = {"MONGODB_URI": f"{mongodb_server.url}/default", "INFLUXDB_HOST": influxdb3_server.url}
    with gateway(tmp_path, "--workers", "2", **environment) as serving:
        workers = psutil.Process(serving.process.pid).children()
        serving.send(signal.SIGKILL)
        gone, alive = psutil.wait_procs(workers, PATIENCE_S)
        assert (len(gone), alive) == (2, [])
