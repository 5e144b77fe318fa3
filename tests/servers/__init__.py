"""Real servers for the tests: each is started on 127.0.0.1 for as long as its context lasts."""

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import httpx

from tests.servers import building
from tests.servers.process import Server, ServerUnavailable, free_port

__all__ = [
    "InfluxDB2",
    "InfluxDB3",
    "Server",
    "ServerUnavailable",
    "influxdb2",
    "influxdb3",
    "mongodb",
    "redis",
]

S = TypeVar("S", bound=Server)


class InfluxDB3(Server):
    """An InfluxDB 3 with the databases that it was started with; `token` is None if it asks for none."""

    token: str | None = None
    databases: tuple[str, ...] = ()


class InfluxDB2(Server):
    """An InfluxDB 2 that is set up: one organisation, one bucket, and a token that may do everything."""

    token: str = ""
    org: str = "tests"
    bucket: str = "tests"


@contextmanager
def mongodb(*, own: bool = False) -> Iterator[Server]:
    """A MongoDB, empty unless it is the user's; `own` is for tests that stop or pause it."""
    if not own and (url := os.environ.get("SYNC_TEST_MONGODB_URI")):
        yield Server("the user's MongoDB", url)
        return
    if shutil.which("java") is None:
        raise ServerUnavailable("java is not installed: the MongoDB server of the tests runs on Java 17")
    port = free_port()
    classes = f"{building.MONGODB_MAIN.ensure()}:{building.MONGODB_JARS.ensure() / 'lib' / '*'}"
    # In a run of minutes, thorough compilation and parallel collection of garbage cost more than they save.
    flags = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    command = ["java", *flags, "-cp", classes, "Main", str(port)]
    with _running(Server("the tests' MongoDB", f"mongodb://127.0.0.1:{port}", command)) as server:
        yield server


@contextmanager
def influxdb3(
    *, token: str | None = None, databases: Sequence[str] = ("tests",), own: bool = False
) -> Iterator[InfluxDB3]:
    """An InfluxDB 3. A user's own has its token in SYNC_TEST_INFLUXDB3_TOKEN."""
    if not own and token is None and (url := os.environ.get("SYNC_TEST_INFLUXDB3_URL")):
        server = InfluxDB3("the user's InfluxDB 3", url)
        server.token = os.environ.get("SYNC_TEST_INFLUXDB3_TOKEN")
        server.databases = tuple(databases)
        yield server
        return
    port = free_port()
    command = [sys.executable, "-m", "tests.servers.influxdb3", "--port", str(port)]
    for database in databases:
        command += ["--database", database]
    if token is not None:
        command += ["--token", token]
    server = InfluxDB3("the tests' InfluxDB 3", f"http://127.0.0.1:{port}", command)
    server.token = token
    server.databases = tuple(databases)
    with _running(server):
        yield server


@contextmanager
def influxdb2(*, own: bool = False) -> Iterator[InfluxDB2]:
    """An InfluxDB 2. A user's own has SYNC_TEST_INFLUXDB2_TOKEN, _ORG and _BUCKET beside its URL."""
    if not own and (url := os.environ.get("SYNC_TEST_INFLUXDB2_URL")):
        server = InfluxDB2("the user's InfluxDB 2", url)
        server.token = os.environ.get("SYNC_TEST_INFLUXDB2_TOKEN", "")
        server.org = os.environ.get("SYNC_TEST_INFLUXDB2_ORG", server.org)
        server.bucket = os.environ.get("SYNC_TEST_INFLUXDB2_BUCKET", server.bucket)
        yield server
        return
    program = building.INFLUXD.ensure() / "influxd"
    with tempfile.TemporaryDirectory(prefix="influxd-", ignore_cleanup_errors=True) as folder:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        # fmt: off
        command = [
            str(program),
            "--http-bind-address", f"127.0.0.1:{port}",
            "--bolt-path", f"{folder}/influxd.bolt",
            "--engine-path", f"{folder}/engine",
            "--sqlite-path", f"{folder}/influxd.sqlite",
            "--reporting-disabled",
            "--log-level", "warn",
        ]
        # fmt: on
        server = InfluxDB2("the tests' InfluxDB 2", url, command, lambda printed: _is_healthy(url))
        server.token = secrets.token_hex(16)
        with _running(server):
            _set_up(server)
            yield server


@contextmanager
def redis(*, own: bool = False) -> Iterator[Server]:
    """A Redis, empty unless it is the user's; `own` is for tests that stop or pause it."""
    if not own and (url := os.environ.get("SYNC_TEST_REDIS_URL")):
        yield Server("the user's Redis", url)
        return
    program = shutil.which("redis-server")
    if program is None:
        raise ServerUnavailable("redis-server is not installed (Debian: apt install redis-server)")
    port = free_port()
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
    server = Server(
        "the tests' Redis",
        f"redis://127.0.0.1:{port}",
        command,
        lambda printed: "Ready to accept connections" in printed,
    )
    with _running(server):
        yield server


@contextmanager
def _running(server: S) -> Iterator[S]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", trust_env=False, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _set_up(server: InfluxDB2) -> None:
    body = {
        "username": "tests",
        "password": secrets.token_hex(16),
        "org": server.org,
        "bucket": server.bucket,
        "token": server.token,
    }
    answer = httpx.post(f"{server.url}/api/v2/setup", json=body, trust_env=False, timeout=30)
    answer.raise_for_status()
