"""The command line as a person uses it: what it prints, and that it fails without a traceback."""

import contextlib
import json
import os
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest

from compat_rest.commands import demo
from tests.servers import Server

pytestmark = pytest.mark.slow

GATEWAY = [sys.executable, "-m", "compat_rest.main"]
QUERY = "{ organizations { nodes { organizationId applications { applicationId deviceCount } } } }"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environment}
    return subprocess.run([*GATEWAY, *arguments], env=env, capture_output=True, text=True, timeout=60)


def fails(*arguments: str, **environment: str) -> str:
    """What a command that must fail says: on stderr, without a traceback."""
    process = run(*arguments, **environment)
    assert process.returncode in (1, 2)
    assert "Traceback" not in process.stderr
    assert process.stderr.strip()
    return process.stderr


SERVER = {"strawberry", "graphql", "uvicorn", "httpx", "apsw"}


@pytest.mark.parametrize(
    ("command", "excluded"),
    [("--help", SERVER | {"pydantic", "starlette", "bson"}), ("check-config", SERVER)],
)
def test_a_command_imports_what_it_needs(command: str, excluded: set[str]) -> None:
    process = subprocess.run(
        [sys.executable, "-X", "importtime", *GATEWAY[1:], command],
        capture_output=True,
        text=True,
        timeout=60,
    )
    modules = {line.rpartition("|")[2].strip().partition(".")[0] for line in process.stderr.splitlines()}
    assert "typer" in modules
    assert modules & excluded == set()


def test_the_demo_plant_is_loaded_once(tmp_path: Path) -> None:
    assert "documents added" in run("demo", "--days", "0", "--data", str(tmp_path)).stdout
    assert "already loaded" in run("demo", "--days", "0", "--data", str(tmp_path)).stdout


def test_the_printed_schema_is_the_committed_one() -> None:
    committed = Path(__file__).parents[2] / "schema" / "schema.graphql"
    assert run("schema").stdout == committed.read_text()


def test_it_serves_until_it_is_stopped(tmp_path: Path) -> None:
    run("demo", "--days", "0", "--data", str(tmp_path))
    command = [*GATEWAY, "serve", "--port", "0", "--data", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stdout is not None
            line = serving.stdout.readline()
            assert "whoever reaches it may do everything" in line
            url = next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
            for _ in range(50):
                try:
                    answer: Any = httpx.get(url, params={"query": QUERY}, trust_env=False).json()
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            nodes = answer["data"]["organizations"]["nodes"]
            assert [node["organizationId"] for node in nodes] == ["alpine-robotics", "ferro-works"]
            counts = [a["deviceCount"] for node in nodes for a in node["applications"]]
            assert sum(counts) == 41
        finally:
            serving.send_signal(signal.SIGTERM)
            serving.wait(15)


def test_connections_leave_file_descriptors_for_the_rest(tmp_path: Path) -> None:
    serve = shlex.join([*GATEWAY, "serve", "--port", "0", "--data", str(tmp_path)])
    command = ["sh", "-c", f"ulimit -n 150; exec {serve}"]
    environment = os.environ | {"SYNC_GATEWAY_SERVER__DRAIN": "0"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as serving:
        assert serving.stdout is not None
        assert serving.stderr is not None
        banner = serving.stdout.readline()
        host, port = next(word for word in banner.split() if "127.0.0.1" in word).split("/")[2].split(":")
        assert "accepts 22 connections" in serving.stderr.readline()
        with contextlib.ExitStack() as clients:
            for _ in range(200):
                client = clients.enter_context(socket.create_connection((host, int(port)), timeout=30))
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(100) in (b"", b"HTTP/1.1 503")
        for _ in range(100):
            answer = httpx.get(f"http://{host}:{port}/health/ready", trust_env=False)
            if answer.status_code == 200:
                break
            time.sleep(0.1)
        assert answer.json()["status"] == "ok"
        serving.send_signal(signal.SIGTERM)
        serving.communicate(timeout=30)


def test_an_unreachable_store_is_reported_at_start(tmp_path: Path) -> None:
    command = [*GATEWAY, "serve", "--port", "0", "--data", str(tmp_path)]
    environment = {
        **os.environ,
        "MONGODB_URI": "mongodb://user:demo-only@127.0.0.1:1/plant",
        "INFLUXDB_HOST": "http://127.0.0.1:2",
        "SYNC_GATEWAY_DOCUMENTS__DEADLINE": "0.5",
        "CORS_ALLOWED_ORIGIN": "*",
    }
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as serving:
        assert serving.stdout is not None
        assert serving.stderr is not None
        banner = serving.stdout.readline()
        assert "documents: MongoDB at 127.0.0.1:1; time series: InfluxDB 3 at 127.0.0.1:2" in banner
        messages: list[str] = []
        while len([message for message in messages if "is unreachable" in message]) < 2:
            messages.append(serving.stderr.readline())
        assert any("document store is unreachable: MongoDB at 127.0.0.1:1" in line for line in messages)
        assert any("CORS_ALLOWED_ORIGIN=https://" in message for message in messages)
        assert not any("demo-only" in line for line in (banner, *messages))
        serving.send_signal(signal.SIGTERM)
        serving.communicate(timeout=30)


def test_loading_shows_its_progress_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "LINE_EVERY_S", 0.0)
    advance = demo._show_progress(2)
    advance()
    advance()
    assert capsys.readouterr().err.splitlines() == [
        f"writing points: {done} of 2 days of machines" for done in (1, 2)
    ]


def test_the_demo_is_served_and_the_port_is_checked_before_it_is_loaded(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = fails("serve", "--demo", "--port", str(port), "--data", str(folder))
    assert f"127.0.0.1 port {port}: " in message
    assert not folder.exists()


def test_it_serves_beyond_loopback_only_with_open(tmp_path: Path) -> None:
    assert "--open" in fails("serve", "--host", "0.0.0.0", "--port", "0", "--data", str(tmp_path))


def test_a_port_in_use_is_reported_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        message = fails("serve", "--port", str(taken.getsockname()[1]), "--data", str(tmp_path))
    assert "in use" in message.lower()


def test_a_folder_that_cannot_be_created_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "file" in fails("serve", "--port", "0", "--data", str(tmp_path / "file"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("copy", "sqlite:///missing.db", "sqlite:///other.db"),
        ("copy", "http://x", "sqlite:///other.db"),
        ("copy", "sqlite:///here/../x.db", "sqlite:///x.db"),
        ("copy", "mongodb://[", "sqlite:///other.db"),
        ("nonsense",),
        ("serve", "--port", "99999"),
        ("check-config", "--config", "missing.yaml"),
        ("demo", "--config", "missing.yaml"),
    ],
)
def test_bad_input_is_reported_without_a_traceback(arguments: tuple[str, ...]) -> None:
    fails(*arguments)


def test_settings_are_shown_without_their_secrets_only() -> None:
    process = run(
        "check-config",
        MONGODB_URI="mongodb://user:demo-only@db.example/plant?tlsCertificateKeyFilePassword=demo-only&w=1",
        INFLUXDB_HOST="http://influx.example:8181",
        INFLUXDB_TOKEN="demo-only",
        SYNC_GATEWAY_SECRETS__KEYS="demo-only,demo-only",
    )
    assert process.returncode == 0
    assert "demo-only" not in process.stdout + process.stderr
    response = json.loads(process.stdout)
    masked = "mongodb://user:********@db.example/plant?tlsCertificateKeyFilePassword=********&w=1"
    assert response["documents"]["url"] == masked
    assert response["series"]["url"] == "http://influx.example:8181"
    assert response["series"]["token"] == "********"
    assert response["secrets"]["keys"] == ["********", "********"]


def test_the_version_is_printed() -> None:
    assert run("--version").stdout == f"sync-gateway {version('sync-gateway')}\n"


def test_a_copy_names_the_side_and_the_server_that_fail(tmp_path: Path) -> None:
    from_mongodb, nowhere = f"sqlite:///{tmp_path}/one.db", "mongodb://user:demo-only@127.0.0.1:1/plant"
    run("demo", "--days", "0", "--data", str(tmp_path))
    (tmp_path / "documents.db").rename(tmp_path / "one.db")
    sides = {"target": (from_mongodb, nowhere), "source": (nowhere, f"sqlite:///{tmp_path}/new.db")}
    with ThreadPoolExecutor() as pool:  # each waits for some seconds
        messages = list(pool.map(lambda arguments: fails("copy", *arguments), sides.values()))
    for side, message in zip(sides, messages, strict=True):
        assert f"the {side}, MongoDB at 127.0.0.1:1: " in message
        assert "demo-only" not in message
    assert not (tmp_path / "new.db").exists()


def test_a_source_without_documents_is_an_error(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "empty.db").close()
    message = fails("copy", f"sqlite:///{tmp_path}/empty.db", f"sqlite:///{tmp_path}/two.db")
    assert "documents" in message or "empty" in message
    assert not (tmp_path / "two.db").exists()


def test_a_copy_holds_the_same_documents_and_can_be_repeated(tmp_path: Path, mongodb_server: Server) -> None:
    run("demo", "--days", "0", "--data", str(tmp_path))
    source = f"sqlite:///{tmp_path}/documents.db"
    first = run("copy", source, f"sqlite:///{tmp_path}/two.db")
    assert first.stdout.startswith("86 documents written, 0 already equal, 86 compared")
    again = run("copy", source, f"sqlite:///{tmp_path}/two.db")
    assert again.stdout.startswith("0 documents written, 86 already equal")
    to_mongodb = run("copy", source, f"{mongodb_server.url}/copied-from-embedded")
    assert to_mongodb.returncode == 0, to_mongodb.stderr
    back = run("copy", f"{mongodb_server.url}/copied-from-embedded", f"sqlite:///{tmp_path}/back.db")
    assert back.returncode == 0, back.stderr
