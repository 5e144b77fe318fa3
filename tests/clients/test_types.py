"""The columns of a series in typed clients: TypeScript's compiler, gql and pandas."""

import json
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pandas
import pytest
from gql import Client, gql
from gql.transport.httpx import HTTPXAsyncTransport
from gql.utilities import update_schema_scalar
from graphql import GraphQLScalarType

from compat_rest.app import create_app
from schema.server.settings import Settings
from schema.types.root import schema
from stores.contracts.samples import SECOND, Point, Unsigned, Value
from stores.contracts.series import WritableSeriesStore
from stores.demo import plant as demo
from stores.entities.cipher import SecretCipher
from stores.entities.series_layout import SeriesLayout
from stores.opening import open_documents, open_series
from tests.docs.markdown import PROJECT, read_blocks
from tests.serving import served

CLIENTS = PROJECT / "docs" / "clients.md"
START = 1_790_000_000 * SECOND
VALUES: dict[str, list[Value]] = {
    "number": [0.1, 2.0, -1e300],
    "integer": [1, 2**53 + 1, -(2**63)],
    "unsigned": [Unsigned(5), Unsigned(2**63), Unsigned(2**64 - 1)],
    "string": ["", "ü", "1"],
    "boolean": [True, False, True],
}
# Each function is an error of its own: columns are neither unknown nor never null.
WRONG = """import type { TemperatureQuery } from "./operations";

type Series = NonNullable<NonNullable<TemperatureQuery["device"]>["series"]>;
export const neverNull = (series: Series): number[] => series.numbers;
export const unknownType = (series: Series): boolean[] => series.timesMs;
export const exact = (series: Series): number | null | undefined => series.integers[0];
export const present = (data: TemperatureQuery): string[] => data.device.series.times;
"""


@pytest.mark.slow
def test_generated_types_are_those_of_the_columns(graphql_codegen: Path, tmp_path: Path) -> None:
    [configuration, program] = [block for block in read_blocks(CLIENTS) if "codegen" in block.options]
    [query] = [block for block in read_blocks(CLIENTS) if "query Temperature" in block.text]
    files = {
        "codegen.json": configuration.text,
        "schema.graphql": schema.as_str(),
        "temperature.graphql": query.text,
        "program.ts": program.text,
        "wrong.ts": WRONG,
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    command = ["node", "run.mjs", str(tmp_path)]
    done = subprocess.run(
        command, cwd=graphql_codegen, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    errors = json.loads(done.stdout)
    assert {error.split()[0] for error in errors} == {f"wrong.ts:{line}" for line in (4, 5, 6, 7)}, errors
    generated = (tmp_path / "operations.ts").read_text()
    assert "Array<number | null>" in generated
    assert not re.search(r"[:<] ?any\b", generated)


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    """The address of a gateway whose LATHE-01 has a field of each kind."""
    documents, series = open_documents(None, data=tmp_path), open_series(None, data=tmp_path)
    assert isinstance(series, WritableSeriesStore)
    await demo.load(documents, SecretCipher.store_plain_text())
    tags = (("machine_id", "LATHE-01"),)
    points = [
        Point("kinds", tags, {name: values[n] for name, values in VALUES.items()}, START + n * SECOND + n)
        for n in range(3)
    ]
    database = SeriesLayout().find_location("ferro-works").database
    assert await series.write(database, points) == [None] * 3
    app = create_app(Settings(data=tmp_path), documents=documents, series=series)
    async with served(app) as url:
        yield url
    await documents.close()
    await series.close()


@pytest.mark.slow
async def test_columns_become_those_of_a_data_frame(address: str) -> None:
    """As gql receives them, with scalars that Python reads: every digit and every nanosecond."""
    fields = "\n".join(
        f'{name}: series(measurement: "kinds", field: "{name}", range: $range) '
        "{ times timesMs numbers integers strings booleans }"
        for name in VALUES
    )
    query = gql(f"""query Kinds($range: TimeRange!) {{ device(organizationId: "ferro-works",
      applicationId: "cnc-monitoring", machineId: "LATHE-01") {{ {fields} }} }}""")
    query.variable_values = {"range": {"fromMs": START / 1e6, "toMs": START / 1e6 + 60_000}}
    transport = HTTPXAsyncTransport(url=f"{address}/graphql")
    async with Client(transport=transport, fetch_schema_from_transport=True, parse_results=True) as session:
        assert session.client.schema is not None
        update_schema_scalar(session.client.schema, "BigInt", GraphQLScalarType("BigInt", parse_value=int))
        device = (await session.execute(query))["device"]
    frames = {name: make_frame(series) for name, series in device.items()}
    for name, column, type_ in (
        ("number", "numbers", "float64"),
        ("integer", "integers", "Int64"),
        ("unsigned", "integers", "UInt64"),
        ("string", "strings", "string"),
        ("boolean", "booleans", "boolean"),
    ):
        values = pandas.Series(device[name][column], dtype=type_, index=frames[name].index)
        assert str(values.dtype) == type_
        assert values.tolist() == VALUES[name]
        others = {"integers", "strings", "booleans"} - {column}
        assert all(device[name][other] == [None] * 3 for other in others)
    # A double has no 2**53 + 1, but all the powers of two
    assert frames["integer"]["numbers"].fillna(0).tolist() == [1.0, 0.0, -(2.0**63)]
    assert frames["unsigned"]["numbers"].fillna(0).tolist() == [5.0, 2.0**63, 0.0]
    assert str(frames["number"].index.dtype) == "datetime64[ns, UTC]"
    assert frames["number"].index.astype("int64").tolist() == [START + n * SECOND + n for n in range(3)]


def make_frame(series: dict[str, Any]) -> pandas.DataFrame:
    index = pandas.to_datetime(series["times"], format="ISO8601", utc=True).as_unit("ns")
    return pandas.DataFrame({"numbers": pandas.array(series["numbers"], dtype="float64")}, index=index)
