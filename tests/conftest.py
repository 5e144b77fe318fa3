"""What every test may rely on: real servers, a clean environment, and a seed for random values.

Tests that need something from outside are marked `external` and run last. What is missing for them is
built while the other tests run (`tests/servers/preparing.py`).
"""

import gc
import os
import random
import shutil
import time
from pathlib import Path

import pytest

from schema.server.process_tuning import freeze_startup_objects
from tests.servers import preparing

pytest_plugins = ["tests.servers.fixtures"]

DEFAULT_SEED = "1"
MEMORY = Path("/dev/shm")
MIN_MEMORY_BYTES = 3 << 30  # many times what the folders of a run take


def pytest_configure(config: pytest.Config) -> None:
    gc.set_threshold(100_000)  # collecting tests makes many objects and little garbage
    os.environ.setdefault("SYNC_TEST_SEED", DEFAULT_SEED)  # the worker processes inherit these
    if "PYTEST_DEBUG_TEMPROOT" not in os.environ and _has_memory():
        # Every embedded store waits for the disk each time it writes: in memory it need not.
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(MEMORY)
    config.pluginmanager.register(preparing.Preparation(config), "preparation")


def _has_memory() -> bool:
    is_writable = MEMORY.is_dir() and os.access(MEMORY, os.W_OK)
    return is_writable and shutil.disk_usage(MEMORY).free > MIN_MEMORY_BYTES


def pytest_report_header() -> str:
    return f"random values: SYNC_TEST_SEED={os.environ['SYNC_TEST_SEED']}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    preparing.mark_and_sort(items)  # before pytest deselects by the markers


def pytest_collection_finish() -> None:
    freeze_startup_objects()  # as a server does: a fifth of the time of the tests was collection of garbage


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """An id for compressed bytes that is the same in every process: a gzip header contains the time."""
    if isinstance(val, bytes) and not val.isascii():
        return f"{argname} of {len(val)} bytes"
    return None


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("PORT", "MONGODB_URI", "ORGANIZATION_ID", "CORS_ALLOWED_ORIGIN")
    for name in list(os.environ):
        if name in names or name.startswith(("SYNC_GATEWAY_", "INFLUXDB_")):
            monkeypatch.delenv(name)


@pytest.fixture
def seeded_random(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers that the seed of the run and the name of the test decide."""
    return random.Random(f"{os.environ['SYNC_TEST_SEED']} {request.node.nodeid}")


@pytest.fixture(autouse=True)
def _time_left(request: pytest.FixtureRequest) -> None:
    """Skip a long run if SYNC_TEST_UNTIL, in seconds since 1970, has passed."""
    until = os.environ.get("SYNC_TEST_UNTIL")
    if until and time.time() > float(until) and _is_long(request.node):
        pytest.skip("there is no time left for this long run")


def _is_long(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("long", "randomized"))
