"""`serve --workers`: several processes behind one port, which share connections and are replaced."""

import contextlib
import signal
import socket
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from schema.server.unserved_connections import MAX_OPEN
from tests.compat_rest.processes import PATIENCE_S, Gateway, gateway, half_a_request
from tests.compat_rest.test_commands import fails
from tests.servers import Server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals"),
]


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
            address = ("127.0.0.1", serving.port)
            clients = [  # that read no answer; the first one is closed for the next request
                stack.enter_context(socket.create_connection(address)) for _ in range(MAX_OPEN + 1)
            ]
            assert serving.get_ready() == (503, "unavailable")
            # The server finds at the same time that a client comes, for which it closes the oldest connection,
            # and that the oldest client leaves.
            stack.enter_context(socket.create_connection(address))
            serving.send(signal.SIGSTOP)
            stack.enter_context(socket.create_connection(address))
            clients[2].close()
            serving.send(signal.SIGCONT)
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
