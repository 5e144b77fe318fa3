"""A folder like a fresh checkout, with the demo plant, in which the commands of the documentation run."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from tests.docs.markdown import PROJECT
from tests.servers.process import free_port

COMMAND_TIMEOUT_S = 120
# The documentation shows the default port, and servers that only exist as examples.
ADDRESS = "127.0.0.1:3000"


# `serve --demo` loads a month; a day is enough here.
ENTRY_POINT = """#!{python}
from compat_rest.commands import serve
from compat_rest.main import main
serve.DAYS = 1
main()
"""


class Sandbox:
    """Runs commands and queries as printed, with `replacements` for the addresses of the documentation."""

    def __init__(self, folder: Path, plant: Path, replacements: dict[str, str]) -> None:
        self.folder = folder
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        self._replacements = {ADDRESS: self.address, "--port 3000": f"--port {port}", **replacements}
        self._servers: list[subprocess.Popen[bytes]] = []
        names = ("SYNC_GATEWAY_", "INFLUXDB_", "MONGODB_", "PORT", "CORS_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(names)}
        settings = {"PORT": str(port), "DRAIN": "0"}  # nobody probes whether it ends
        self._environment = inherited | {
            f"SYNC_GATEWAY_SERVER__{key}": value for key, value in settings.items()
        }
        _install(folder / ".venv")
        for name in ("Makefile", "pyproject.toml", "config.yaml"):
            shutil.copy(PROJECT / name, folder)
        shutil.copytree(PROJECT / ".lock", folder / ".lock")
        for path in (folder / "pyproject.toml", *(folder / ".lock").iterdir()):
            os.utime(path, (0, 0))  # older than the installed environment, so that nothing is installed again
        if plant.exists():
            shutil.copytree(plant, folder / "data")

    def replace(self, text: str) -> str:
        """The text with addresses that exist."""
        for documented, actual in self._replacements.items():
            text = text.replace(documented, actual)
        return text

    def run(self, script: str) -> str:
        """The output of a script, which must succeed."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.replace(script)],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    def start(self, script: str) -> None:
        """Start a gateway and wait until it answers; the one before is stopped."""
        self.stop()
        log = self.folder / "server.log"
        with log.open("w") as output:
            server = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", self.replace(script)],
                cwd=self.folder,
                env=self._environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._servers.append(server)
        until = time.monotonic() + COMMAND_TIMEOUT_S
        while server.poll() is None and time.monotonic() < until:
            try:
                httpx.get(f"http://{self.address}/health/live", trust_env=False)
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        self.stop()
        raise AssertionError(f"{script} does not serve\n{log.read_text()[-2000:]}")

    def stop(self) -> None:
        """Stop the gateway and what was started with it."""
        for server in self._servers:
            try:
                os.killpg(server.pid, signal.SIGINT)
                server.wait(20)
            except ProcessLookupError:
                pass
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()
        self._servers = []

    def query(self, text: str, variables: dict[str, Any]) -> Any:
        """The response to an operation."""
        body = {"query": self.replace(text), "variables": variables}
        response = httpx.post(f"http://{self.address}/graphql", json=body, trust_env=False, timeout=30)
        return json.loads(response.text)


def _install(environment: Path) -> None:
    """A virtual environment that is the one of the tests."""
    (environment / "bin").mkdir(parents=True)
    (environment / "runtime").touch()  # the stamp of the Makefile
    programs = {
        "python": f'#!/bin/sh\nexec {sys.executable} "$@"\n',
        "sync-gateway": ENTRY_POINT.format(python=sys.executable),
    }
    for name, text in programs.items():
        (environment / "bin" / name).write_text(text)
        (environment / "bin" / name).chmod(0o755)
