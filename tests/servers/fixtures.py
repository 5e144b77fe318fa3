"""Fixtures of what is external: each server starts when the first test needs it and runs until the tests end.

With several worker processes, each of them has servers of its own: a server starts in one or two seconds.
"""

import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import pymongo
import pytest

from tests.servers import (
    InfluxDB2,
    InfluxDB3,
    Server,
    ServerUnavailable,
    influxdb2,
    influxdb3,
    mongodb,
    redis,
)
from tests.servers.building import CLAIRVOYANCE, CLIENTS, CODEGEN, GRAPHQL_AUDITS, WRITERS, Build

if TYPE_CHECKING:
    from playwright.async_api import Browser

S = TypeVar("S", bound=Server)


@pytest.fixture(scope="session")
def mongodb_server() -> Iterator[Server]:
    """A MongoDB that all tests of the run share, or the user's."""
    with _or_skip(mongodb) as server:
        yield server


@pytest.fixture(scope="session")
def influxdb3_server() -> Iterator[InfluxDB3]:
    """An InfluxDB 3 that all tests of the run share, or the user's."""
    with _or_skip(influxdb3) as server:
        yield server


@pytest.fixture(scope="session")
def influxdb2_server() -> Iterator[InfluxDB2]:
    """An InfluxDB 2 that all tests of the run share, or the user's."""
    with _or_skip(influxdb2) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Server]:
    """A Redis that all tests of the run share, or the user's."""
    with _or_skip(redis) as server:
        yield server


@pytest.fixture
def own_redis_server() -> Iterator[Server]:
    """A Redis of this test alone, which it may stop and pause."""
    with _or_skip(lambda: redis(own=True)) as server:
        yield server


@pytest.fixture
def own_mongodb_server() -> Iterator[Server]:
    """A MongoDB of this test alone, which it may stop and pause."""
    with _or_skip(lambda: mongodb(own=True)) as server:
        yield server


@pytest.fixture
def empty_mongodb_server(request: pytest.FixtureRequest) -> Server:
    """A MongoDB without databases: the shared one after all are dropped, and never the user's."""
    if os.environ.get("SYNC_TEST_MONGODB_URI"):
        own: Server = request.getfixturevalue("own_mongodb_server")
        return own
    shared: Server = request.getfixturevalue("mongodb_server")
    with pymongo.MongoClient[dict[str, object]](shared.url) as client:
        for name in client.list_database_names():
            client.drop_database(name)
    return shared


@pytest.fixture
def own_influxdb3_server() -> Iterator[InfluxDB3]:
    """An InfluxDB 3 of this test alone, which it may stop and pause."""
    with _or_skip(lambda: influxdb3(own=True)) as server:
        yield server


@pytest.fixture
def own_influxdb2_server() -> Iterator[InfluxDB2]:
    """An InfluxDB 2 of this test alone, which it may stop and pause."""
    with _or_skip(lambda: influxdb2(own=True)) as server:
        yield server


@pytest.fixture
def graphql_audits() -> Path:
    """The folder of the specification's own checks of GraphQL over HTTP, and of what they need."""
    return _ensure(GRAPHQL_AUDITS)


@pytest.fixture
def graphql_clients() -> Path:
    """The folder of Apollo Client and urql, and of the script that runs them."""
    return _ensure(CLIENTS)


@pytest.fixture
def graphql_codegen() -> Path:
    """The folder of GraphQL Code Generator and TypeScript, and of the script that runs them."""
    return _ensure(CODEGEN)


@pytest.fixture
def point_writers() -> Path:
    """The folder of the clients of InfluxDB 1 and 2 for Node.js, and of the script that runs them."""
    return _ensure(WRITERS)


@pytest.fixture
def clairvoyance() -> Path:
    """The folder of the package of an attack tool, which recovers schemas from error messages."""
    return _ensure(CLAIRVOYANCE)


def _ensure(build: Build) -> Path:
    try:
        return build.ensure()
    except ServerUnavailable as unavailable:
        skip_or_fail(str(unavailable))


# The browser's own services would call out, which a test machine need not allow.
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
QUIET += ["--disable-background-networking", "--disable-component-update"]


@pytest.fixture
async def chromium() -> AsyncIterator["Browser"]:
    """A browser of this test alone."""
    from playwright.async_api import (
        async_playwright,  # takes half a second of the processes that need no browser
    )

    path = shutil.which("chromium")
    if path is None:
        skip_or_fail("chromium is not installed")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        await browser.close()


def skip_or_fail(reason: str) -> NoReturn:
    """Skip a test that lacks something external; fail it where everything is required.

    SYNC_TEST_OPTIONAL_SERVERS names programs, separated by commas, that may be missing nevertheless.
    """
    optional = filter(None, os.environ.get("SYNC_TEST_OPTIONAL_SERVERS", "").split(","))
    if os.environ.get("SYNC_TEST_REQUIRE_SERVERS") == "1" and not any(map(reason.startswith, optional)):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@contextmanager
def _or_skip(open_server: Callable[[], AbstractContextManager[S]]) -> Iterator[S]:
    """The opened server; if it is unavailable, the test is skipped or, where servers are required, fails."""
    context = open_server()
    try:
        server = context.__enter__()
    except ServerUnavailable as unavailable:
        skip_or_fail(str(unavailable))
    try:
        yield server
    finally:
        context.__exit__(None, None, None)
