"""The command line as a person uses it: what it prints, and that it fails without a traceback."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers import Server

GATEWAY = [sys.executable, "-m", "compat_rest.main"]
QUERY = "{ organizations { nodes { organizationId applications { applicationId deviceCount } } } }"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environment}
    return subprocess.run([*GATEWAY, *arguments], env=env, capture_output=True, text=True, timeout=60)


def fails(*arguments: str, **environment: str) -> str:
    """What a command that must fail says: on stderr, without a traceback."""
    done = run(*arguments, **environment)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()
    return done.stderr


def test_help_imports_no_server_and_no_driver() -> None:
    command = [sys.executable, "-X", "importtime", *GATEWAY[1:], "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    modules = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "typer" in modules
    assert (
        modules & {"pydantic", "starlette", "strawberry", "graphql", "uvicorn", "bson", "httpx", "apsw"}
        == set()
    )


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


def test_it_does_not_serve_beyond_loopback_unasked(tmp_path: Path) -> None:
    assert "--open" in fails("serve", "--host", "0.0.0.0", "--data", str(tmp_path))


def test_a_port_in_use_is_said_in_a_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = fails("serve", "--port", str(taken.getsockname()[1]), "--data", str(tmp_path))
    assert "in use" in said.lower()


def test_a_folder_that_cannot_be_made_is_said_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "file" in fails("serve", "--port", "0", "--data", str(tmp_path / "file"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("copy", "sqlite:///missing.db", "sqlite:///other.db"),
        ("copy", "http://x", "sqlite:///other.db"),
        ("copy", "mongodb://[", "sqlite:///other.db"),
        ("nonsense",),
        ("serve", "--port", "99999"),
        ("check-config", "--config", "missing.yaml"),
        ("demo", "--config", "missing.yaml"),
    ],
)
def test_bad_input_is_said_without_a_traceback(arguments: tuple[str, ...]) -> None:
    fails(*arguments)


def test_settings_are_shown_without_their_secrets(tmp_path: Path) -> None:
    done = run("check-config", MONGODB_URI="mongodb://user:demo-only@db.example/plant")
    assert done.returncode == 0
    assert "demo-only" not in done.stdout + done.stderr


def test_a_copy_holds_the_same_documents_and_can_be_repeated(tmp_path: Path, mongodb_server: Server) -> None:
    run("demo", "--days", "0", "--data", str(tmp_path))
    source = f"sqlite:///{tmp_path}/documents.db"
    first = run("copy", source, f"sqlite:///{tmp_path}/two.db")
    assert first.stdout.startswith("86 documents written, 0 already equal, 86 compared")
    again = run("copy", source, f"sqlite:///{tmp_path}/two.db")
    assert again.stdout.startswith("0 documents written, 86 already equal")
    there = run("copy", source, f"{mongodb_server.url}/copied-from-embedded")
    assert there.returncode == 0, there.stderr
    back = run("copy", f"{mongodb_server.url}/copied-from-embedded", f"sqlite:///{tmp_path}/back.db")
    assert back.returncode == 0, back.stderr
