"""A gateway as a process of its own, for tests of signals and of workers."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.compat_rest.test_commands import GATEWAY

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
