"""Series as rows: what JSON data sources of Grafana send and need."""

from typing import Any

import pytest

from stores.contracts.samples import SECOND
from stores.contracts.series import WritableSeriesStore
from tests.schema.client import Client
from tests.schema.machines import DAY, HOUR, MINUTE, NOW, put, write

ROWS = """query {{ seriesRows(machines: [{machines}], range: {range}{arguments},
  fields: [{{measurement: "process", field: "temperature"}}, {{measurement: "state", field: "execution"}}]) {{
  machineId measurement field time timeMs value number }} }}"""
COLUMNS = ("machineId", "field", "timeMs", "value", "number")
# As the Infinity data source sends a GraphQL query: its variables are null if there are none.
INFINITY = {"accept": "application/json;q=0.9,text/plain", "user-agent": "Grafana/12.2.0"}


def name(plant: str, *machines: str) -> str:
    refs = (f'{{organizationId: "{plant}", applicationId: "cnc", machineId: "{m}"}}' for m in machines)
    return ", ".join(refs)


async def request_rows(client: Client, query: str) -> dict[str, Any]:
    response = await client.http.post("/graphql", json={"query": query, "variables": None}, headers=INFINITY)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/json")
    answer: dict[str, Any] = response.json()
    return answer


async def test_grafana_gets_flat_rows_of_a_range_in_milliseconds(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    """`${__from}` and `${__to}` are milliseconds, and `$__interval` is `5m`."""
    start = NOW // (10 * MINUTE) * 10 * MINUTE - DAY
    for n in range(10):
        at = start + n * MINUTE
        await write(series, [put("process", "M0", at, temperature=20.0 + n)])
        await write(series, [put("process", "M1", at, temperature=1.0)])
    await write(series, [put("state", "M0", start + 7, execution="ACTIVE")])
    from_ms, to_ms = start // 1_000_000, (start + 10 * MINUTE) // 1_000_000
    range_ = f"{{fromMs: {from_ms}, toMs: {to_ms}}}"
    means = ROWS.format(
        machines=name(plant, "M0", "M1"), range=range_, arguments=', every: {duration: "5m"}, aggregate: LAST'
    )
    for _ in range(2):
        answer = await request_rows(client, means)
        rows = answer["data"]["seriesRows"]
        assert [tuple(row[key] for key in COLUMNS) for row in rows] == [
            ("M0", "temperature", from_ms, 24.0, 24.0),
            ("M0", "execution", from_ms, "ACTIVE", None),
            ("M1", "temperature", from_ms, 1.0, 1.0),
            ("M0", "temperature", from_ms + 300_000, 29.0, 29.0),
            ("M1", "temperature", from_ms + 300_000, 1.0, 1.0),
        ]
        assert all(not isinstance(value, dict | list) for row in rows for value in row.values())
        [hint] = answer["extensions"]["hints"]
        assert (hint["path"], hint["closest"]) == (["seriesRows"], [])
        assert "M1 has never written state.execution" in hint["message"]
    later = f"{{fromMs: {from_ms}.25, toMs: {to_ms}}}"  # a quarter of a millisecond later
    samples = ROWS.format(machines=name(plant, "M0"), range=later, arguments="")
    rows = (await request_rows(client, samples))["data"]["seriesRows"]
    assert [row["number"] for row in rows] == [20.0 + n for n in range(1, 10)]


async def test_rows_of_a_machine_that_does_not_exist_are_one_null_with_an_error(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    await write(series, [put("process", "M0", NOW - HOUR, temperature=1.5)])
    query = ROWS.format(machines=name(plant, "none", "M0"), range='{last: "2h"}', arguments="")
    answer = await request_rows(client, query)
    rows = answer["data"]["seriesRows"]
    assert [row and row["number"] for row in rows] == [None, None, 1.5]
    assert [(error["path"], error["extensions"]["code"]) for error in answer["errors"]] == [
        (["seriesRows", 0], "NOT_FOUND"),
        (["seriesRows", 1], "NOT_FOUND"),
    ]


@pytest.mark.parametrize(
    "range_",
    [
        '{from: "2026-01-01T00:00:00Z", fromMs: 1}',
        '{fromMs: 1, to: "2026-01-01T00:00:00Z", toMs: 2}',
        "{toMs: 1}",
        "{fromMs: 1e300}",
        "{fromMs: -1e17, toMs: 5}",
        '{fromMs: 1, last: "5m"}',
        "{fromMs: 5, toMs: 5}",
        '{last: "5M"}',
    ],
)
async def test_a_range_that_is_wrong_is_refused(client: Client, plant: str, range_: str) -> None:
    query = ROWS.format(machines=name(plant, "M0"), range=range_, arguments="")
    [error] = (await request_rows(client, query))["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_all_rows_are_one_query_of_each_measurement(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    await write(series, [put("process", f"M{n}", NOW - n * SECOND, temperature=1.5) for n in range(3)])
    await write(series, [put("state", f"M{n}", NOW - n * SECOND, execution="A") for n in range(3)])
    query = ROWS.format(machines=name(plant, "M0", "M1", "M2"), range='{last: "PT1H"}', arguments="")
    assert len((await client.run(query))["seriesRows"]) == 6
    assert sorted(client.series_calls) == ["points process temperature", "points state execution"]


async def test_rows_of_tags_are_apart_and_say_which_they_are_of(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    for spindle in ("1", "2"):
        await write(series, [put("c", "M0", NOW - HOUR, {"spindle": spindle}, v=int(spindle))])
    await write(series, [put("c", "M0", NOW - HOUR, v=3)])
    query = f"""{{ %s: seriesRows(machines: [{name(plant, "M0")}], range: {{last: "P1D"}}, aggregate: SUM,
      fields: [{{measurement: "c", field: "v"}}], by: ["%s"]) {{ number tags {{ name value }} }} }}"""
    answer = await request_rows(client, query % ("rows", "spindle"))
    assert [(row["number"], row["tags"][0]["value"]) for row in answer["data"]["rows"]] == [
        (3, None), (1, "1"), (2, "2")
    ]  # fmt: skip
    answer = await request_rows(client, query % ("rows", "spindel"))
    assert answer["data"]["rows"] == [{"number": 6, "tags": [{"name": "spindel", "value": None}]}]
    [hint] = answer["extensions"]["hints"]
    assert hint["closest"] == ["spindle"]
