"""Points of the embedded store are deleted by InfluxDB 2's endpoint: what, by whom, and what is recorded."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync

from resolvers.api_keys import KeySpec, create_api_key
from resolvers.grants import Role
from schema.server.app import create_app
from schema.server.bodies import BadRequest
from schema.server.delete_predicates import parse_predicate
from schema.server.settings import Settings
from stores.contracts.samples import END_OF_TIME
from stores.contracts.series_queries import SeriesQuery
from stores.opening import open_series
from tests.contract.series_stores import make_bucket
from tests.patience import BUSY_S
from tests.servers import InfluxDB2
from tests.serving import open_client, served

SECONDS = 1_772_452_800  # of the first point; each machine has one in every minute
LINES = "\n".join(
    f"{measurement},machine_id={machine},spindle={n % 2} f={n}i,g=0.5 {SECONDS + 60 * n}"
    for measurement in ("state", "process")
    for machine in ("M1", "M2", "2")
    for n in range(10)
)
WRITERS_TOKEN = "writers-token"
DELETE = "/api/v2/delete?bucket=machines&org=any"


def at(minute: int, fraction: str = "") -> str:
    return datetime.fromtimestamp(SECONDS + 60 * minute, UTC).strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"


def body(predicate: str = "", start: str = at(2), stop: str = at(5)) -> dict[str, str]:
    return {"start": start, "stop": stop, "predicate": predicate}


class Plant:
    """A served gateway with two organizations, and keys by name."""

    def __init__(self, url: str, app: Any, keys: dict[str, str]) -> None:
        self.url, self.state, self.keys = url, app.state.app_state, keys

    async def send(self, key: str, path: str, **content: Any) -> httpx.Response:
        headers = {"Authorization": f"Token {self.keys.get(key, key)}"}
        async with open_client(self.url, headers=headers) as http:
            return await http.post(path, **content)

    async def count(self, organization_id: str) -> int:
        """The values of the machines in the database of an organization."""
        return await count_values(self.state.series.store.database(f"organization/{organization_id}"))


async def count_values(series: Any) -> int:
    count = 0
    for measurement in ("state", "process"):
        query = SeriesQuery(measurement, ["f", "g"], ["M1", "M2", "2"], 0, END_OF_TIME)
        by_machine = await series.points(query, 10_000)
        count += sum(
            len(s) for fields in by_machine.values() for tags in fields.values() for s in tags.values()
        )
    return count


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    app = create_app(Settings.model_validate({"data": tmp_path, "series": {"token": WRITERS_TOKEN}}))
    state = app.state.app_state
    documents = state.documents.database(state.documents.default)
    specs = [
        KeySpec("collector", ("acme",), ingest=True),
        KeySpec("editor", ("acme",), Role.EDITOR, ingest=True),
        KeySpec("admin", ("acme",), Role.ADMIN),
        KeySpec("narrow", ("acme",), Role.ADMIN, application_ids=("cnc",)),
        KeySpec("operator", (), Role.OPERATOR),
    ]
    keys = {spec.name: (await create_api_key(documents, spec, created_by="test"))[1] for spec in specs}
    async with served(app) as url:
        plant = Plant(url, app, keys)
        for organization in ("acme", "nord"):
            mutation = f'createOrganization(input: {{organizationId: "{organization}", name: "O"}})'
            query = f"mutation {{ {mutation} {{ organization {{ id }} }} }}"
            assert "errors" not in (await plant.send("operator", "/graphql", json={"query": query})).json()
            path = f"/api/v2/write?bucket=machines&organization={organization}&precision=s"
            assert (await plant.send("operator", path, content=LINES)).status_code == 204
        yield plant


async def list_entries(plant: Plant, organization: str) -> list[Any]:
    query = f"""{{ auditLog(organizationId: "{organization}", operation: "deletePoints") {{ nodes {{
        subject requestId outcome changes {{ path after }} }} }} }}"""
    answer = (await plant.send("operator", "/graphql", json={"query": query})).json()
    entries: list[Any] = answer["data"]["auditLog"]["nodes"]
    return entries


async def test_an_admin_deletes_points_of_its_organization_and_the_audit_log_says_so(plant: Plant) -> None:
    deleted = await plant.send("admin", DELETE, json=body('_measurement="state" AND machine_id="M1"'))
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert await plant.count("acme") == 120 - 2 * 4  # both ends are included
    assert await plant.count("nord") == 120
    [entry] = await list_entries(plant, "acme")
    assert entry["requestId"] == deleted.headers["x-request-id"]
    assert {change["path"]: change["after"] for change in entry["changes"]} == {
        "organizationId": "acme",
        "bucket": "organization/acme",
        "start": at(2),
        "stop": at(5),
        "predicate": '_measurement="state" AND machine_id="M1"',
        "deletedValues": 8,
    }
    assert (await plant.send("admin", DELETE, json=body("spindle=1", at(50), at(60)))).status_code == 204
    assert len(await list_entries(plant, "acme")) == 1  # nothing was deleted


async def test_an_operator_deletes_from_one_organization_or_from_all(plant: Plant) -> None:
    assert (await plant.send("operator", f"{DELETE}&organization=nord", json=body())).status_code == 204
    assert (await plant.count("acme"), await plant.count("nord")) == (120, 120 - 12 * 4)
    assert (await plant.send("operator", DELETE, json=body())).status_code == 204
    assert (await plant.count("acme"), await plant.count("nord")) == (120 - 12 * 4, 120 - 12 * 4)
    assert [len(await list_entries(plant, organization)) for organization in ("acme", "nord")] == [1, 1]


async def test_the_client_library_deletes(plant: Plant) -> None:
    async with InfluxDBClientAsync(plant.url, plant.keys["admin"], "any") as client:
        deleted = await client.delete_api().delete(at(0), at(9), 'machine_id="M2"', bucket="machines")
    assert deleted
    assert await plant.count("acme") == 80


@pytest.mark.parametrize(
    ("key", "path", "content", "status"),
    [
        ("wrong", DELETE, body(), 401),
        ("collector", DELETE, body(), 403),
        ("editor", DELETE, body(), 403),
        ("narrow", DELETE, body(), 403),
        (WRITERS_TOKEN, DELETE, body(), 401),
        ("admin", f"{DELETE}&organization=nord", body(), 404),
        ("operator", f"{DELETE}&organization=none", body(), 404),
        ("admin", DELETE.replace("machines", "other"), body(), 404),
        ("admin", DELETE, body("_field=f"), 400),
        ("admin", DELETE, body(start="2026-03-02T12:00:00"), 400),
        ("admin", DELETE, body(stop="never"), 400),
        ("admin", DELETE, body(stop="9999-01-01T00:00:00Z"), 400),
        ("admin", DELETE, {"start": at(0)}, 400),
        ("admin", DELETE, {**body(), "predicate": 5}, 400),
        ("admin", DELETE, [], 400),
        ("admin", DELETE, body("a=" + "b" * 100_000), 413),
    ],
)
async def test_what_is_refused_deletes_nothing(
    plant: Plant, key: str, path: str, content: Any, status: int
) -> None:
    response = await plant.send(key, path, json=content)
    assert response.status_code == status
    assert response.json()["code"]
    assert response.json()["message"]
    assert (await plant.count("acme"), await plant.count("nord")) == (120, 120)
    assert await list_entries(plant, "acme") == []


PREDICATES = [
    "",
    "  ",
    '_measurement="state"',
    '_measurement = "state" AND "machine_id" = "M1"',
    'machine_id="M1" and spindle="1"',
    "machine_id=M2",
    "machine_id=2",
    'machine_id="2"',
    "spindle=1",
    'machine_id="none"',
    'none="1"',
    'machine_id="M1" AND machine_id="M1"',
    '_measurement="a\\"b"',
    "machine_id =~ /M/",
    'machine_id="M1" OR machine_id="M2"',
    "machine_id='M1'",
    "machine_id",
    'machine_id="M1" AND',
    "AND",
    '"open',
]


@pytest.mark.slow
async def test_what_is_deleted_and_rejected_is_what_influxdb_2_does(
    influxdb2_server: InfluxDB2, plant: Plant, tmp_path: Path
) -> None:
    """A time is compared to the nanosecond, and both ends are included."""
    ranges = [(at(2), at(5)), (at(2, ".000000001"), at(4, ".999999999")), (at(7), at(3))]
    cases = [*((text, *ranges[0]) for text in PREDICATES), *(("spindle=0", *range_) for range_ in ranges)]
    url, token, org = influxdb2_server.url, influxdb2_server.token, influxdb2_server.org
    store = open_series(f"influxdb2+{url}", data=tmp_path, token=token, org=org, deadline=BUSY_S)

    async def delete_from_influxdb(case: tuple[str, str, str]) -> tuple[int, int]:
        """The status, and how many values are left."""
        names = {"org": org, "bucket": uuid.uuid4().hex}
        await make_bucket(influxdb2_server, names["bucket"])
        headers = {"Authorization": f"Token {token}"}
        async with open_client(url, headers=headers, timeout=BUSY_S, params=names) as http:
            written = await http.post("/api/v2/write", content=LINES, params={"precision": "s", **names})
            assert written.status_code == 204
            status = (await http.post("/api/v2/delete", json=body(*case))).status_code
        return status, await count_values(store.database(names["bucket"]))

    reference = await asyncio.gather(*map(delete_from_influxdb, cases))
    await store.close()
    for case, expected in zip(cases, reference, strict=True):
        path = "/api/v2/write?bucket=machines&precision=s&organization=acme"
        assert (await plant.send("operator", path, content=LINES)).status_code == 204
        deleted = await plant.send("admin", DELETE, json=body(*case))
        assert (deleted.status_code, await plant.count("acme")) == expected, case


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("", (None, ())),
        ('_measurement="state"', ("state", ())),
        (
            ' "_measurement" = "a b" AND t_1=v and "x\\"y"="\\\\\\n" ',
            ("a b", (("t_1", ("v",)), ('x"y', ("\\\n",)))),
        ),
        ("n=-1.5", (None, (("n", ("-1.5",)),))),
    ],
)
def test_predicates(text: str, parsed: Any) -> None:
    assert parse_predicate(text) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a=",
        "=b",
        "a!=b",
        "a=b c=d",
        "a=b AND",
        "a=b ANDc=d",
        "(a=b)",
        "a='b'",
        "_value=1",
        "a=1 AND a=2",
    ],
)
def test_other_predicates_are_rejected(text: str) -> None:
    with pytest.raises(BadRequest, match="invalid predicate"):
        parse_predicate(text)
