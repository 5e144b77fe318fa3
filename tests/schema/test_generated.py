"""Operations made at random from the schema: whatever they ask, nothing unforeseen happens."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis_graphql import from_schema, nodes

from resolvers.context import Context, Viewer
from resolvers.series_access import SeriesAccess
from schema.engine.execution import Executor
from schema.engine.structure_limits import StructureLimits
from schema.types.root import schema
from stores.backends.sqlite.documents import SqliteDocumentStore
from stores.backends.sqlite.series import SqliteSeriesStore
from stores.demo import plant as demo
from stores.entities.cipher import SecretCipher
from stores.entities.icons import Icons
from stores.opening import open_icon_files
from tests.randomized import randomized

PLAIN_TEXT = SecretCipher.store_plain_text()

SCALARS = {
    "DateTime": st.just("2026-01-31T09:05:07.123Z").map(nodes.String),
    "JSON": st.sampled_from(["text", "", "$set"]).map(nodes.String),
    "Duration": st.sampled_from(["PT5M", "PT24H", "PT1S"]).map(nodes.String),
    "BigInt": st.sampled_from(["0", "-1", "18446744073709551615"]).map(nodes.String),
    "Base64": st.sampled_from(["", "PHN2Zy8+"]).map(nodes.String),
}


async def codes(folder: Path, queries: list[str]) -> set[str]:
    store = SqliteDocumentStore(folder / "documents.db")
    await demo.load(store, PLAIN_TEXT)
    series = SqliteSeriesStore(folder / "series.db")
    executor = Executor(schema, StructureLimits())
    codes: set[str] = set()
    for query in queries:
        context = Context(
            Viewer(store, SeriesAccess(series)), Icons(open_icon_files(folder / "icons")), PLAIN_TEXT
        )
        answer = await executor.run(query, None, None, context)
        codes |= {str(error["extensions"]["code"]) for error in answer.errors}
    await store.close()
    await series.close()
    return codes


# Deferred, because it takes a second of each process that only collects the test.
OPERATIONS = st.deferred(lambda: from_schema(schema.as_str(), custom_scalars=SCALARS))


@randomized(25)
@given(st.lists(OPERATIONS, min_size=5, max_size=10))
def test_no_operation_ends_in_an_internal_error(
    tmp_path_factory: pytest.TempPathFactory, queries: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("generated")
    assert "INTERNAL" not in asyncio.run(codes(folder, queries))
