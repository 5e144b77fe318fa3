"""Fields that a machine has never written: they are null, with hints at the names nearest to them."""

import hashlib
import time
from typing import Any

import pytest

from resolvers.hints import MAX_HINTS
from schema.server.app import create_app
from schema.server.settings import Settings
from stores.contracts.document_store import DocumentStore
from stores.contracts.samples import MACHINE, SECOND, Point
from stores.contracts.series import WritableSeriesStore
from tests.contract.series_stores import create, send
from tests.schema.client import Client
from tests.schema.machines import DAY, HOUR, put, refused, write
from tests.schema.series_gateway import OWN, open_gateway

NOW = time.time_ns()
HOUR_AGO = 'range: {last: "PT1H"}'
DEVICE = 'device(organizationId: "%s", applicationId: "cnc", machineId: "M0") { %s }'


async def write_pieces(series: WritableSeriesStore) -> None:
    old = NOW - 2 * DAY
    for spindle in ("1", "2"):
        await write(
            series, [put("production", "M0", old, {"spindle": spindle}, pieces_produced=5, op_code="a")]
        )
    await write(series, [put("process", "M0", NOW - HOUR // 2, temperature=21.5)])


async def ask(client: Client, plant: str, selection: str) -> tuple[Any, list[dict[str, Any]]]:
    """The device's fields, and the hints; the paths without the first key."""
    answer = await client.send("{ " + DEVICE % (plant, selection) + " }")
    assert "errors" not in answer, answer["errors"]
    hints = answer["extensions"].get("hints", [])
    for hint in hints:
        assert hint.keys() == {"path", "message", "closest"}
        assert hint["path"].pop(0) == "device"
    return answer["data"]["device"], hints


def counter(field: str, arguments: str = "") -> str:
    measurement, name = field.split(".")
    return f'counter(measurement: "{measurement}", field: "{name}", {HOUR_AGO}{arguments}) {{ increase }}'


async def test_what_was_never_written_is_null_with_hints(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    await write_pieces(series)
    selection = f"""{counter("production.piecesproduced")}
      series(measurement: "Process", field: "temperature", {HOUR_AGO}, aggregate: SUM, fill: NULL,
        every: {{duration: "PT5M"}}, compare: "P1D") {{ count }}
      latest(measurement: "process", field: "pieces_produced") {{ value }}"""
    for _ in range(3):  # by graphql-core, and by a plan
        machine, hints = await ask(client, plant, selection)
        assert machine == {"counter": None, "series": None, "latest": None}
        assert hints == [
            {
                "path": ["counter"],
                "message": "M0 has never written production.piecesproduced.",
                "closest": ["pieces_produced"],
            },
            {
                "path": ["series"],
                "message": "M0 has never written Process.temperature.",
                "closest": ["process"],
            },
            {
                "path": ["latest"],
                "message": "M0 has never written process.pieces_produced."
                " It has written that field in other measurements.",
                "closest": ["production.pieces_produced"],
            },
        ]
        # Whether the empty ones were ever written, and all that the machine has written
        calls = [call for call in client.series_calls if call.startswith("extents")]
        assert calls.pop() == "extents"
        named = [name for call in calls for name in call.removeprefix("extents ").split(",")]
        assert sorted(named) == ["Process temperature", "production piecesproduced"]


async def test_an_empty_range_of_what_was_written_is_empty(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    await write_pieces(series)
    existing = f"""{counter("production.pieces_produced")}
      series(measurement: "production", field: "pieces_produced", {HOUR_AGO}, aggregate: COUNT) {{ numbers }}
      codes: series(measurement: "production", field: "op_code", {HOUR_AGO}, aggregate: COUNT) {{ count }}
      latest(measurement: "process", field: "temperature") {{ value }}"""
    machine, hints = await ask(client, plant, existing)
    assert machine == {
        "counter": {"increase": 0},
        "series": {"numbers": []},
        "codes": {"count": 0},
        "latest": {"value": 21.5},
    }
    assert hints == []
    [call] = [call for call in client.series_calls if call.startswith("extents")]
    assert sorted(call.removeprefix("extents ").split(",")) == [
        "production op_code",
        "production pieces_produced",
    ]
    samples = f'series(measurement: "production", field: "pieces_produced", {HOUR_AGO}) {{ count }}'
    assert await ask(client, plant, samples) == ({"series": {"count": 0}}, [])
    of_strings = (
        f'series(measurement: "production", field: "op_code", {HOUR_AGO}, aggregate: MEAN) {{ count }}'
    )
    for refusal in (of_strings, counter("production.op_code")):
        assert (await refused(client, plant, refusal))["code"] == "BAD_USER_INPUT"


async def test_the_latest_value_is_that_of_the_selected_series(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    points = [put("c", "M0", NOW - n * HOUR, {"spindle": str(n)}, v=n) for n in (1, 2)]
    await write(series, points)
    latest = 'latest(measurement: "c", field: "v", where: [{tag: "spindle", in: ["%s"]}]) { value }'
    selection = "\n".join(f"s{spindle}: {latest % spindle}" for spindle in "123")
    machine, [hint] = await ask(client, plant, selection)
    assert machine == {"s1": {"value": 1}, "s2": {"value": 2}, "s3": None}
    assert (hint["path"], hint["closest"]) == (["s3"], [])
    assert "such a value of the tag spindle" in hint["message"]


async def test_tags_that_no_series_has_are_hinted_at(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    await write_pieces(series)
    for arguments, value, message, closest in (
        (', where: [{tag: "spindel", in: ["1"]}]', None, "the tag spindel", ["spindle"]),
        (', where: [{tag: "spindle", in: ["12"]}]', None, "such a value of the tag spindle", ["2", "1"]),
        (', by: ["Spindles"]', {"increase": 0}, "the tag Spindles", ["spindle"]),
    ):
        machine, [hint] = await ask(client, plant, counter("production.pieces_produced", arguments))
        assert machine == {"counter": value}
        assert message in hint["message"]
        assert hint["closest"] == closest
    machine, hints = await ask(client, plant, counter("production.pieces_produced", ', by: ["spindle"]'))
    assert (machine, hints) == ({"counter": {"increase": 0}}, [])


async def test_a_machine_that_never_wrote_has_hints_without_names(client: Client, plant: str) -> None:
    selection = f"""{counter("x" * 150 + ".a")} states({HOUR_AGO}) {{ start }}"""
    for _ in range(2):
        machine, hints = await ask(client, plant, selection)
        assert machine == {"counter": None, "states": None}
        assert [hint["path"] for hint in hints] == [["counter"], ["states"]]
        assert {(hint["message"], *hint["closest"]) for hint in hints} == {
            ("M0 has never written anything.",)
        }


async def test_states_are_empty_before_the_first_one(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    """The machine has written none until then, and some later."""
    await write(series, [put("state", "M0", NOW - HOUR // 2, {"spindle": "1"}, execution="ACTIVE")])
    before = 'range: {last: "PT1H", offset: "-P1D"}'
    machine, hints = await ask(client, plant, f"states({before}) {{ execution {{ value }} }}")
    assert (machine, hints) == ({"states": {"execution": []}}, [])
    assert client.series_calls[-1] == "extents state power,state execution,state mode"
    by = f'states({HOUR_AGO}, by: ["spindel"]) {{ groups {{ tags {{ value }} }} }}'
    machine, [hint] = await ask(client, plant, by)
    assert machine == {"states": {"groups": [{"tags": [{"value": None}]}]}}
    assert (hint["path"], hint["closest"]) == (["states"], ["spindle"])


async def test_long_names_are_not_compared(client: Client, plant: str, series: WritableSeriesStore) -> None:
    name = "production" * 20
    await write(series, [put(name[:-1], "M0", NOW, a=1)])
    _, [hint] = await ask(client, plant, counter(f"{name}.a"))
    assert hint["closest"] == []
    assert len(hint["message"]) < 200


@pytest.mark.parametrize("machines", [3, 25])
async def test_the_hints_of_many_machines_are_few_and_take_two_calls(
    client: Client, plant: str, series: WritableSeriesStore, machines: int
) -> None:
    create = """mutation($o: String!, $m: String!) { createDevice(input: {organizationId: $o,
      applicationId: "cnc", machineId: $m}) { device { id } } }"""
    for n in range(3, machines):
        await client.run(create, o=plant, m=f"M{n}")
    await write(series, [put("production", f"M{n}", NOW, pieces_produced=n) for n in range(machines)])
    query = f"""{{ application(organizationId: "{plant}", applicationId: "cnc") {{ devices(first: 100) {{
      nodes {{ series(measurement: "production", field: "pieces", {HOUR_AGO}) {{ count }} }} }} }} }}"""
    for _ in range(2):
        answer = await client.send(query)
        hints = answer["extensions"]["hints"]
        nodes = answer["data"]["application"]["devices"]["nodes"]
        assert nodes == [{"series": None}] * machines
        assert [hint["path"] for hint in hints] == [
            ["application", "devices", "nodes", n, "series"] for n in range(min(machines, MAX_HINTS))
        ]
        assert all(hint["closest"] == ["pieces_produced"] for hint in hints)
        assert client.series_calls == ["points production pieces", "extents production pieces", "extents"]
    several = f"""{{ series(machines: [{{organizationId: "{plant}", applicationId: "cnc", machineId: "M0"}},
      {{organizationId: "{plant}", applicationId: "cnc", machineId: "none"}}], {HOUR_AGO},
      fields: [{{measurement: "production", field: "pieces"}}]) {{
        device {{ machineId }} series {{ count }} }} }}"""
    for _ in range(2):
        answer = await client.send(several)
        assert answer["data"] == {"series": [{"device": {"machineId": "M0"}, "series": None}, None]}
        [hint] = answer["extensions"]["hints"]
        assert hint["path"] == ["series", 0, "series"]


async def test_each_door_gives_the_same_hints(
    documents: DocumentStore, series: WritableSeriesStore, client: Client, plant: str, tmp_path: Any
) -> None:
    """A batch, whose operations have hints of their own, a persisted query, and GET."""
    await write_pieces(series)
    empty, absent = (
        "{ " + DEVICE % (plant, counter(f"production.{name}")) + " }"
        for name in ("pieces_produced", "pieces_product")
    )
    settings = Settings.model_validate({"data": tmp_path, "limits": {"batch": 3}})
    app = create_app(settings, documents=documents, series=series)
    batching = Client(app, documents)
    body = [{"query": query} for query in (absent, empty, absent)]
    bodies = (await batching.http.post("/graphql", json=body)).json()
    first, second, third = (answer.get("extensions", {}).get("hints") for answer in bodies)
    assert second is None
    assert first == third
    assert first[0]["closest"] == ["pieces_produced"]
    persisted = {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(absent.encode()).hexdigest()}}
    for members in ({"query": absent}, {}):
        answer = (await batching.http.post("/graphql", json={**members, "extensions": persisted})).json()
        assert answer["extensions"]["hints"] == first
    got = (await batching.http.get("/graphql", params={"query": absent})).json()
    assert got["extensions"]["hints"] == first
    await batching.http.aclose()


@pytest.mark.parametrize("kind", ["influxdb3", "influxdb2"])
async def test_no_hint_names_what_another_organization_has_written(
    request: pytest.FixtureRequest, kind: str, tmp_path: Any
) -> None:
    """In a database that organizations share by a tag, a field that only another one has is absent."""
    server = request.getfixturevalue(f"{kind}_server")
    prefix, org = ("influxdb2+", server.org) if kind == "influxdb2" else ("", "")
    database = f"d{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]}"
    await create(server, database)
    for tenant, field in ((OWN, "pieces_made"), ("foreign", "pieces_produced")):
        tags = ((MACHINE, "M0"), ("tenant", tenant))
        await send(server, database, [Point("production", tags, {field: 1}, NOW - SECOND)])
    connection = {"url": prefix + server.url, "org": org, "token": server.token, "database": database}
    async with open_gateway(tmp_path, **connection, organization_tag="tenant") as gateway:
        await gateway.add_device(OWN, "M0")
        for field, closest in (("pieces_produced", ["pieces_made"]), ("pieces_producd", ["pieces_made"])):
            query = "{ " + DEVICE % (OWN, counter(f"production.{field}")) + " }"
            answer = await gateway.ask("own", query)
            assert answer["data"]["device"] == {"counter": None}
            [hint] = answer["extensions"]["hints"]
            assert hint["closest"] == closest
