"""A server of the test run's own: started on a free port, awaited, paused, stopped by its process id."""

import os
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

PROJECT = Path(__file__).parents[2]
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0


class ServerUnavailable(Exception):
    """A server cannot be had on this machine; the message says why and what would help."""


class Server:
    """One server under one address. `stop` and `start` keep the address; `pause` makes it hang."""

    def __init__(
        self,
        name: str,
        url: str,
        command: Sequence[str] = (),
        is_ready: Callable[[str], bool] = lambda printed: "\nready" in f"\n{printed}",
    ) -> None:
        """`command` is empty for a user's own server; `is_ready` is given what the server has printed."""
        self.name = name
        self.url = url
        self._command = list(command)
        self._is_ready = is_ready
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process of the server, None while it is stopped or if it is a user's own."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start and wait until it answers. Raises ServerUnavailable if it does not within a minute."""
        if self._process is not None or not self._command:
            return
        # Into a file, because a pipe that nobody empties stops the server once it is full.
        with tempfile.NamedTemporaryFile(prefix="server-", suffix=".log") as log:
            try:
                self._process = subprocess.Popen(
                    self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=PROJECT
                )
            except OSError as error:
                raise ServerUnavailable(f"{self.name} cannot be run: {error}") from error
            try:
                self._await(self._process, Path(log.name))
            except BaseException:
                self.stop()
                raise

    def _await(self, process: subprocess.Popen[bytes], log: Path) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            printed = log.read_text(errors="replace")
            if process.poll() is not None:
                raise ServerUnavailable(self._failure(f"ended with status {process.returncode}", printed))
            if self._is_ready(printed):
                return
            time.sleep(0.02)
        printed = log.read_text(errors="replace")
        raise ServerUnavailable(self._failure(f"was not ready after {START_TIMEOUT_S:.0f} s", printed))

    def _failure(self, what: str, printed: str) -> str:
        return f"{self.name} {what}: {shlex.join(self._command)}\n{printed[-2000:]}"

    def stop(self) -> None:
        """End the process, gently if it lets itself be; connections to it are refused from then on."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.terminate()
        process.send_signal(signal.SIGCONT)  # a paused process hears nothing but this and SIGKILL
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def pause(self) -> None:
        """Make it hang: connections are still taken by the kernel, but nothing is answered."""
        process = self._own_process()
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)  # its threads may answer until the last of them stands still

    def resume(self) -> None:
        """Undo `pause`."""
        self._own_process().send_signal(signal.SIGCONT)

    def _own_process(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.name} is stopped, or is not the tests' own")
        return self._process


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
