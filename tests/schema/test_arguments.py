"""Null, boundary and oversized values of every argument: no INTERNAL, and the same compiled or not."""

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from graphql import GraphQLObjectType
from hypothesis import given
from hypothesis import strategies as st

from schema.engine.results import OperationResult
from schema.types.root import schema
from stores.backends.sqlite.series import SqliteSeriesStore
from stores.contracts.samples import Point, Value
from stores.demo import plant as demo
from stores.entities.cipher import SecretCipher
from stores.entities.series_layout import SeriesLayout
from stores.opening import open_documents, open_series
from tests.contract.series_stores import make_bucket, send
from tests.randomized import randomized
from tests.schema.arguments import Operation, operations, root_paths, walk_arguments
from tests.schema.executors import FERRO, NOW, ExecutorPair, stores
from tests.servers import InfluxDB2, InfluxDB3, Server

INT64_MAX = 2**63 - 1
MINUTE = 60 * 10**9
QUERIES = operations(root_paths("query"), "query")
MUTATIONS = operations(root_paths("mutation"), "mutation")
FIELDS: list[dict[str, Value]] = [{"v": INT64_MAX}, {"v": INT64_MAX}, {"v": 5}, {"value": 1.5, "text": "a"}]
POINTS = [
    Point("big" if "v" in fields else "process", (("machine_id", "LATHE-01"),), fields, NOW - n * MINUTE)
    for n, fields in enumerate(FIELDS, start=1)
]


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the stores of the compiled queries, and integers whose sum is beyond 64 bits."""
    folder = tmp_path_factory.mktemp("plant")

    async def fill() -> None:
        async with stores(folder) as pair:
            assert isinstance(pair.series, SqliteSeriesStore)
            await pair.series.write(FERRO, POINTS)

    asyncio.run(fill())
    return folder


@asynccontextmanager
async def opened(
    folder: Path, documents: str | None = None, series: InfluxDB2 | InfluxDB3 | None = None
) -> AsyncIterator[ExecutorPair]:
    """The embedded stores in `folder`, or servers in their place."""
    document_store = open_documents(documents, data=folder, deadline=20.0)
    if series is None:
        series_store = open_series(None, data=folder, deadline=20.0)
    else:
        prefix, org = ("influxdb2+", series.org) if isinstance(series, InfluxDB2) else ("", "")
        series_store = open_series(
            prefix + series.url, data=folder, deadline=20.0, token=series.token, org=org
        )
    pair = ExecutorPair(folder, document_store, series_store)
    try:
        yield pair
    finally:
        await document_store.close()
        await series_store.close()


async def check(pair: ExecutorPair, operation: Operation) -> None:
    run: OperationResult
    if operation.kind == "query":
        run = await pair.compare(operation.document, **operation.variables)
    else:
        run = await pair.run(pair.plain, operation.document, **operation.variables)
    codes = {error["extensions"]["code"] for error in run.errors}
    details = operation.document[:2000], str(operation.variables)[:2000]
    assert not codes & {"INTERNAL", "UNAVAILABLE"}, details


def test_every_argument_of_the_schema_is_reached() -> None:
    declared = {
        f"{type_.name}.{name}({argument}:)"
        for type_ in schema._schema.type_map.values()
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__")
        for name, definition in type_.fields.items()
        for argument in definition.args
    }
    assert declared == set(walk_arguments())


@pytest.mark.slow
@randomized(15)
@given(st.lists(QUERIES, min_size=10, max_size=20))
def test_arguments_of_queries(plant: Path, generated: list[Operation]) -> None:
    async def run() -> None:
        async with opened(plant) as pair:
            for operation in generated:
                await check(pair, operation)

    asyncio.run(run())


@pytest.mark.slow
@randomized(20)
@given(st.lists(MUTATIONS, min_size=10, max_size=20))
def test_arguments_of_mutations(
    plant: Path, tmp_path_factory: pytest.TempPathFactory, generated: list[Operation]
) -> None:
    folder = tmp_path_factory.mktemp("changed")
    shutil.copytree(plant, folder, dirs_exist_ok=True)

    async def run() -> None:
        async with opened(folder) as pair:
            for operation in generated:
                await check(pair, operation)

    asyncio.run(run())


@randomized(5)
@given(st.lists(st.one_of(MUTATIONS, QUERIES), min_size=10, max_size=20))
def test_arguments_on_mongodb(
    own_mongodb_server: Server, tmp_path_factory: pytest.TempPathFactory, generated: list[Operation]
) -> None:
    folder = tmp_path_factory.mktemp("mongodb")

    async def run() -> None:
        async with opened(folder, documents=f"{own_mongodb_server.url}/{uuid.uuid4().hex[:12]}") as pair:
            # What an earlier example deleted is there again.
            await demo.load(pair.documents, SecretCipher.store_plain_text())
            for operation in generated:
                await check(pair, operation)

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["influxdb2", "influxdb3"])
@randomized(5)
@given(st.lists(QUERIES, min_size=10, max_size=20))
def test_arguments_on_time_series_servers(
    request: pytest.FixtureRequest, plant: Path, kind: str, generated: list[Operation]
) -> None:
    server: InfluxDB2 | InfluxDB3 = request.getfixturevalue(f"{kind}_server")
    database = f"d{uuid.uuid4().hex[:12]}"

    async def run() -> None:
        if isinstance(server, InfluxDB2):
            await make_bucket(server, database)
        await send(server, database, POINTS)
        async with opened(plant, series=server) as pair:
            pair.layout = SeriesLayout(database, has_own_databases=False)
            for operation in generated:
                await check(pair, operation)

    asyncio.run(run())
