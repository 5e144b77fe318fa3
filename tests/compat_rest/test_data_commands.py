"""The commands that work on the data folder, beside a running server and without one."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import httpx
import pytest

from tests.compat_rest.test_commands import GATEWAY, fails, run
from tests.contract.small_disk import small_disk

pytestmark = pytest.mark.slow

CREATE = """mutation($id: String!, $text: String) {
  createOrganization(input: {organizationId: $id, description: $text}) { organization { id } } }"""
DEVICES = "{ organizations { nodes { applications { deviceCount } } } }"


@contextmanager
def serving(data: Path, *options: str) -> Iterator[str]:
    """The address of a gateway on the folder; it is killed at the end."""
    command = [*GATEWAY, "serve", "--port", "0", "--data", str(data), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            url = next(word for line in lines for word in line.split() if word.startswith("http://"))
            yield url.removesuffix("/graphql")
        finally:
            process.kill()


def ask(url: str, query: str) -> Any:
    transport = httpx.HTTPTransport(retries=10)
    with httpx.Client(transport=transport, trust_env=False) as client:
        return client.get(f"{url}/graphql", params={"query": query}, timeout=30).json()


def count_devices(url: str) -> int:
    nodes = ask(url, DEVICES)["data"]["organizations"]["nodes"]
    return sum(application["deviceCount"] for node in nodes for application in node["applications"])


def test_jobs_work_beside_a_running_server_and_a_second_server_does_not(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup"
    options = ("--data", str(data))
    with serving(data) as url:
        assert count_devices(url) == 0
        assert "in use by a running server" in fails("serve", "--port", "0", *options)
        assert "documents added" in run("demo", "--days", "0", *options).stdout
        assert count_devices(url) == 41
        assert "holds 2 keys" in run("new-key", *options).stdout
        assert "6 documents encrypted" in run("rotate-secrets", *options).stdout
        assert "No damage found" in run("check", *options).stdout
        assert "documents.db" in run("backup", str(backup), *options).stdout
        assert "in use by a running server" in fails("restore", str(backup), *options)
        assert httpx.get(f"{url}/health/ready", trust_env=False, timeout=30).json()["status"] == "ok"
    db = apsw.Connection(str(data / "documents.db"))
    db.execute("UPDATE documents SET body = x'00' WHERE number = 1")
    db.close()
    message = fails("check", *options)
    assert "in row 1 is damaged" in message
    assert "1 faults found" in message
    (data / "documents.db").write_bytes(b"")
    restored = run("restore", str(backup), *options)
    assert restored.returncode == 0, restored.stderr
    assert "The previous file is now" in restored.stdout
    with serving(data) as url:
        assert count_devices(url) == 41


def create(url: str, organization: str, description: str = "") -> Any:
    body = {"query": CREATE, "variables": {"id": organization, "text": description}}
    transport = httpx.HTTPTransport(retries=10)
    with httpx.Client(transport=transport, trust_env=False) as client:
        return client.post(f"{url}/graphql", json=body, timeout=30).json()


def count_organizations(url: str) -> int:
    answer = ask(url, "{ organizations { totalCount } }")
    return int(answer["data"]["organizations"]["totalCount"])


def test_lost_documents_are_refused_and_given_up_on_purpose_only(tmp_path: Path) -> None:
    with serving(tmp_path) as url:
        create(url, "acme")
    (tmp_path / "documents.db").write_bytes(b"")
    for command in (("serve", "--port", "0"), ("demo", "--days", "0")):
        message = fails(*command, "--data", str(tmp_path))
        assert f"{tmp_path}/documents.db is empty" in message
        assert "--new-data" in message
        assert len(message.splitlines()) == 1
    with serving(tmp_path, "--new-data") as url:
        assert count_organizations(url) == 0
    assert len(list(tmp_path.glob("documents.db.replaced-*"))) >= 1


def test_a_server_on_a_full_disk_answers_reads_and_recovers(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        for start in range(2):  # the second server is started on the full disk
            with serving(disk.path) as url:
                if start == 0:
                    create(url, "acme")
                    disk.fill()
                [error] = create(url, "large", "x" * 500_000)["errors"]
                assert error["extensions"]["code"] == "UNAVAILABLE"
                assert error["message"] == "documents.db: the disk is full"
                assert count_organizations(url) == 1
                ready = httpx.get(f"{url}/health/ready", trust_env=False, timeout=30)
                assert (ready.status_code, ready.json()["writes"]) == (200, "unavailable")
        with serving(disk.path) as url:
            assert "in use by a running server" in fails("serve", "--port", "0", "--data", str(disk.path))
            disk.free()
            assert "errors" not in create(url, "later")
            assert httpx.get(f"{url}/health/ready", trust_env=False, timeout=30).json().get("writes") is None
