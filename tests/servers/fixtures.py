"""Fixtures with the servers: each is started when the first test asks for it and lasts as long as the run."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

import pytest

from tests.servers import InfluxDB2, InfluxDB3, Server, ServerUnavailable, influxdb2, influxdb3, mongodb

S = TypeVar("S", bound=Server)


@pytest.fixture(scope="session")
def mongodb_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A MongoDB that all tests of the run share, or the user's."""
    with _or_skip(request, mongodb) as server:
        yield server


@pytest.fixture(scope="session")
def influxdb3_server(request: pytest.FixtureRequest) -> Iterator[InfluxDB3]:
    """An InfluxDB 3 that all tests of the run share, or the user's."""
    with _or_skip(request, influxdb3) as server:
        yield server


@pytest.fixture(scope="session")
def influxdb2_server(request: pytest.FixtureRequest) -> Iterator[InfluxDB2]:
    """An InfluxDB 2 that all tests of the run share, or the user's."""
    with _or_skip(request, influxdb2) as server:
        yield server


@pytest.fixture
def own_mongodb_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A MongoDB of this test alone, which it may stop and pause."""
    with _or_skip(request, lambda: mongodb(own=True)) as server:
        yield server


@pytest.fixture
def own_influxdb3_server(request: pytest.FixtureRequest) -> Iterator[InfluxDB3]:
    """An InfluxDB 3 of this test alone, which it may stop and pause."""
    with _or_skip(request, lambda: influxdb3(own=True)) as server:
        yield server


@pytest.fixture
def own_influxdb2_server(request: pytest.FixtureRequest) -> Iterator[InfluxDB2]:
    """An InfluxDB 2 of this test alone, which it may stop and pause."""
    with _or_skip(request, lambda: influxdb2(own=True)) as server:
        yield server


@contextmanager
def _or_skip(
    request: pytest.FixtureRequest, open_server: Callable[[], AbstractContextManager[S]]
) -> Iterator[S]:
    """The server that opens, or the test is skipped; where servers are required, it fails."""
    # What is built is said on the terminal, because it can take minutes.
    capture = request.config.pluginmanager.getplugin("capturemanager")
    opened = open_server()
    try:
        with capture.global_and_fixture_disabled():
            server = opened.__enter__()
    except ServerUnavailable as unavailable:
        if os.environ.get("SYNC_TEST_REQUIRE_SERVERS") == "1":
            pytest.fail(str(unavailable), pytrace=False)
        pytest.skip(str(unavailable))
    try:
        yield server
    finally:
        opened.__exit__(None, None, None)
