"""Which tests need something from outside; and building it while the tests run that need nothing."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.servers.building import (
    BUILDS,
    CLAIRVOYANCE,
    CLIENTS,
    CODEGEN,
    GRAPHQL_AUDITS,
    INFLUXD,
    MONGODB_JARS,
    WRITERS,
    Build,
)

# What tests need, by the word in the names of their fixtures and parameters, and what has to be built for it.
# The order is the one in which they become available on a machine that has built nothing yet.
NEEDS: dict[str, Build | None] = {
    "chromium": None,
    "influxdb3": None,
    "graphql_audits": GRAPHQL_AUDITS,
    "graphql_clients": CLIENTS,
    "point_writers": WRITERS,
    "graphql_codegen": CODEGEN,
    "clairvoyance": CLAIRVOYANCE,
    "mongodb": MONGODB_JARS,
    "influxdb2": INFLUXD,
}
REPORT_INTERVAL_S = 30
PROJECT = Path(__file__).parents[2]


def mark_and_sort(items: list[pytest.Item]) -> None:
    """Mark the tests that need something as `external`; those whose needs take longest to build run last."""
    for item in items:
        if needs_of(item):
            item.add_marker(pytest.mark.external)
    order = list(NEEDS)
    items.sort(key=lambda item: max((1 + order.index(need) for need in needs_of(item)), default=0))


def needs_of(item: pytest.Item) -> set[str]:
    """The keys of NEEDS that a test names in its fixtures or in its parameters that are strings."""
    parameters = getattr(item, "callspec", None)
    names = [*getattr(item, "fixturenames", ()), *(parameters.params.values() if parameters else ())]
    # What follows "://" is the address of nothing: "mongodb://[" is an argument that must be rejected.
    return {
        need for need in NEEDS for name in names if isinstance(name, str) and need in name.split("://")[0]
    }


class Preparation:
    """A plugin: starts the missing builds in the background and reports their progress every half minute."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._finished = threading.Event()
        self._building: subprocess.Popen[bytes] | None = None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Start the builds, from one process of a run with several."""
        if os.environ.get("PYTEST_XDIST_WORKER", "gw0") != "gw0" or self._config.option.collectonly:
            return
        builds = {NEEDS[need] for item in session.items for need in needs_of(item)}
        missing = [name for name, build in BUILDS.items() if build in builds and not build.is_built()]
        if missing:
            # A process of its own, because a worker process ends as soon as it has no more tests.
            self._building = subprocess.Popen([sys.executable, "-m", "tests.servers", *missing], cwd=PROJECT)

    def pytest_sessionstart(self) -> None:
        """Report from the process that owns the terminal."""
        if "PYTEST_XDIST_WORKER" not in os.environ:
            threading.Thread(target=self._report, daemon=True).start()

    def pytest_sessionfinish(self) -> None:
        self._finished.set()

    def _report(self) -> None:
        terminal = self._config.pluginmanager.getplugin("terminalreporter")
        seconds = 0
        while not self._finished.wait(REPORT_INTERVAL_S):
            seconds += REPORT_INTERVAL_S
            running = [
                f"{name} ({progress}; takes {build.takes})"
                for name, build in BUILDS.items()
                if (progress := build.progress()) is not None
            ]
            if running and terminal is not None:
                terminal.ensure_newline()
                terminal.write_line(f"building for the tests since {seconds} s: {', '.join(running)}")
