"""Two organizations whose machines have the same ids: neither reads a point of the other, in any layout."""

import re
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from resolvers.grants import OPEN, Grant, Role
from schema.server.app import create_app
from schema.server.settings import Settings
from stores.contracts.series import MACHINE, Point
from tests.contract.series_stores import create, send
from tests.schema.conftest import CREATE_APPLICATION, CREATE_DEVICE, CREATE_ORGANIZATION
from tests.servers import InfluxDB2, InfluxDB3

OWN, FOREIGN = "own", "foreign"
GRANTS = {
    "operator": OPEN,
    "own": Grant("own", Role.ADMIN, frozenset({OWN}), ingest=True),
    "foreign": Grant("foreign", Role.ADMIN, frozenset({FOREIGN}), ingest=True),
    "both": Grant("both", Role.VIEWER, frozenset({OWN, FOREIGN}), ingest=True),
}
FIELDS = """connected status { power execution } latest(measurement: "state", field: "execution") { value }
  events { value } series(measurement: "state", field: "execution", range: {last: "P1D"}) { values }
  counter(measurement: "production", field: "pieces_produced", range: {last: "P1D"}) { increase }
  states(range: {last: "P1D"}) { durations { value } }"""
DEVICE = f"""query($o: String!, $m: String!) {{
  device(organizationId: $o, applicationId: "cnc", machineId: $m) {{ {FIELDS} }} }}"""
SERIES = """query($o: String!, $m: String!) { series(
  machines: [{organizationId: $o, applicationId: "cnc", machineId: $m}],
  fields: [{measurement: "state", field: "execution"}], range: {last: "P1D"}) { series { values } } }"""
APPLICATION = """query($o: String!) { application(organizationId: $o, applicationId: "cnc") {
  lastActivity connectedDeviceCount events { value } }
  organization(organizationId: $o) { analytics { connectedDevices eventsProcessed events { value } } } }"""
ANALYTICS = "{ analytics { connectedDevices eventsProcessed events { value } } }"
UNASSIGNED = "{ unassignedMachines { machineId organizationIds } }"
ASSIGN = """mutation($o: String!, $m: String!) { assignMachine(input: {organizationId: $o, machineId: $m}) {
  machine { organizationIds } } }"""


class Gateway:
    """A gateway that two organizations share, each with an application `cnc`."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def ask(self, who: str, query: str, **variables: Any) -> Any:
        body = {"query": query, "variables": variables}
        return (await self.http.post("/graphql", json=body, headers={"X-API-Key": who})).json()

    async def data(self, who: str, query: str, **variables: Any) -> Any:
        answer = await self.ask(who, query, **variables)
        assert "errors" not in answer, answer
        return answer["data"]

    async def code(self, who: str, query: str, **variables: Any) -> str:
        [error] = (await self.ask(who, query, **variables))["errors"]
        return str(error["extensions"]["code"])

    async def add_device(self, organization: str, machine: str) -> None:
        await self.data("operator", CREATE_DEVICE, organization=organization, machine=machine)

    async def delete_device(self, organization: str, machine: str) -> None:
        delete = """mutation($o: String!, $m: String!) { deleteDevice(input: {organizationId: $o,
          applicationId: "cnc", machineId: $m}) { device { id } } }"""
        await self.data("operator", delete, o=organization, m=machine)

    async def write(self, who: str, machine: str | None, text: str, query: str = "bucket=machines") -> int:
        tag = "" if machine is None else f",{MACHINE}={machine}"
        lines = f'state{tag} power=true,execution="{text}"\nproduction{tag} pieces_produced=5i'
        response = await self.http.post(f"/api/v2/write?{query}", content=lines, headers={"X-API-Key": who})
        return response.status_code

    async def execution(self, who: str, organization: str, machine: str) -> Any:
        data = await self.data(who, DEVICE, o=organization, m=machine)
        status = data["device"]["status"]
        return status and status["execution"]


@asynccontextmanager
async def open_gateway(folder: Path, **series: Any) -> AsyncIterator[Gateway]:
    async def authenticate(request: Request) -> Grant:
        return GRANTS[request.headers["x-api-key"]]

    settings = Settings.model_validate({"data": folder, "series": {"deadline": 30, **series}})
    app = create_app(settings, authenticate=authenticate)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
            gateway = Gateway(http)
            for organization in (OWN, FOREIGN):
                await gateway.data("operator", CREATE_ORGANIZATION, organization=organization)
                await gateway.data(
                    "operator", CREATE_APPLICATION, organization=organization, application="cnc"
                )
            yield gateway


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway with the embedded stores."""
    async with open_gateway(tmp_path) as gateway:
        yield gateway


async def check_own_points(gateway: Gateway) -> None:
    """Both have M0 with points of their own; `foreign` has registered N0 and N1, which never wrote."""
    for who, organization in ((OWN, OWN), (FOREIGN, FOREIGN), ("operator", OWN), ("operator", FOREIGN)):
        other = FOREIGN if organization == OWN else OWN
        for query in (DEVICE, SERIES, APPLICATION):
            variables = {"o": organization} if query == APPLICATION else {"o": organization, "m": "M0"}
            answer = await gateway.data(who, query, **variables)
            assert f"of {organization}" in str(answer), query
            assert f"of {other}" not in str(answer), query
        device = (await gateway.data(who, DEVICE, o=organization, m="M0"))["device"]
        assert device["series"]["values"] == [f"of {organization}"]
        assert device["counter"]["increase"] is not None
    whole = (await gateway.data("operator", ANALYTICS))["analytics"]
    assert whole["eventsProcessed"] == 4
    for who in (OWN, FOREIGN):
        analytics = (await gateway.data(who, ANALYTICS))["analytics"]
        assert (analytics["connectedDevices"], analytics["eventsProcessed"]) == (1, 2)


async def test_in_the_embedded_store_each_organization_has_a_database(gateway: Gateway) -> None:
    for organization in (OWN, FOREIGN):
        await gateway.add_device(organization, "M0")
        assert await gateway.write(organization, "M0", f"of {organization}") == 204
    await check_own_points(gateway)


async def test_who_creates_a_device_with_the_id_of_another_reads_nothing(gateway: Gateway) -> None:
    await gateway.add_device(OWN, "M0")
    assert await gateway.write(OWN, "M0", "secret") == 204
    assert await gateway.write("operator", "M0", "secret") == 204
    for machine in ("M0", "never"):
        await gateway.add_device(FOREIGN, machine)
    for query in (DEVICE, SERIES):
        responses = [await gateway.ask(FOREIGN, query, o=FOREIGN, m=machine) for machine in ("M0", "never")]
        assert responses[0] == responses[1]
    assert "secret" not in str(await gateway.data(FOREIGN, APPLICATION, o=FOREIGN))
    assert await gateway.execution(OWN, OWN, "M0") == "secret"


async def test_points_go_to_the_organization_of_the_key_the_request_or_the_machine(gateway: Gateway) -> None:
    for organization in (OWN, FOREIGN):
        for machine in ("both", f"of-{organization}"):
            await gateway.add_device(organization, machine)
    read = gateway.execution
    await gateway.write(OWN, "both", "by key")
    assert (await read(OWN, OWN, "both"), await read(FOREIGN, FOREIGN, "both")) == ("by key", None)
    await gateway.write("operator", "both", "by request", f"bucket=machines&organization={FOREIGN}")
    assert (await read(OWN, OWN, "both"), await read(FOREIGN, FOREIGN, "both")) == ("by key", "by request")
    await gateway.write("both", "both", "named", f"bucket=machines&organization={OWN}")
    assert (await read(OWN, OWN, "both"), await read(FOREIGN, FOREIGN, "both")) == ("named", "by request")
    await gateway.write("operator", "of-own", "by machine")
    await gateway.write("both", "of-foreign", "by machine")
    assert await read(OWN, OWN, "of-own") == await read(FOREIGN, FOREIGN, "of-foreign") == "by machine"

    for who, query in (
        (OWN, f"bucket=machines&organization={FOREIGN}"),
        (OWN, "bucket=machines&organization=missing"),
        ("operator", "bucket=machines&organization=missing"),
        ("operator", "bucket=machines&organization=.."),
        ("operator", f"bucket=server__stats&organization={OWN}"),
        (OWN, "bucket=server__stats"),
        (OWN, f"bucket=organization/{FOREIGN}"),
        (OWN, "bucket="),
    ):
        assert await gateway.write(who, "both", "nowhere", query) == 404, query
    assert "nowhere" not in str(await gateway.data("operator", ANALYTICS))


async def test_points_of_nobody_and_of_several_are_seen_and_assigned_by_operators_alone(
    gateway: Gateway,
) -> None:
    for organization in (OWN, FOREIGN):
        await gateway.add_device(organization, "both")
    for machine in ("both", "unknown", None):
        assert await gateway.write("operator", machine, "of nobody") == 204
    listed = await gateway.data("operator", UNASSIGNED)
    assert listed["unassignedMachines"] == [
        {"machineId": "both", "organizationIds": [FOREIGN, OWN]},
        {"machineId": "unknown", "organizationIds": []},
    ]
    page = '{ unassignedMachines(first: 1, after: "both") { machineId } }'
    assert (await gateway.data("operator", page))["unassignedMachines"] == [{"machineId": "unknown"}]
    for query, variables in ((UNASSIGNED, {}), (ASSIGN, {"o": OWN, "m": "unknown"})):
        refusal = await gateway.ask(OWN, query, **variables)
        assert "Cannot query field" in refusal["errors"][0]["message"]
    machine = '{ machine(machineId: "unknown") { status { execution } } }'
    assert (await gateway.data("operator", machine))["machine"]["status"] == {"execution": "of nobody"}

    # Whoever registers the machine gets its later points, and not those that were there.
    await gateway.add_device(OWN, "unknown")
    assert await gateway.execution(OWN, OWN, "unknown") is None
    assert (await gateway.data("operator", UNASSIGNED))["unassignedMachines"][1]["organizationIds"] == [OWN]
    assert (await gateway.data("operator", machine))["machine"]["status"] is None
    await gateway.data("operator", ASSIGN, o=OWN, m="unknown")
    assert await gateway.execution(OWN, OWN, "unknown") == "of nobody"
    assert (await gateway.data("operator", machine))["machine"]["status"] == {"execution": "of nobody"}
    assert await gateway.code("operator", ASSIGN, o=OWN, m="unknown") == "NOT_FOUND"
    assert await gateway.code("operator", ASSIGN, o="missing", m="both") == "NOT_FOUND"


async def test_a_device_that_is_removed_or_moved_leaves_its_points_behind(gateway: Gateway) -> None:
    await gateway.add_device(OWN, "M0")
    await gateway.write("operator", "M0", "first")
    await gateway.delete_device(OWN, "M0")
    await gateway.add_device(FOREIGN, "M0")
    assert await gateway.execution(FOREIGN, FOREIGN, "M0") is None
    await gateway.write("operator", "M0", "second")
    assert await gateway.execution(FOREIGN, FOREIGN, "M0") == "second"
    await gateway.add_device(OWN, "M0")
    assert await gateway.execution(OWN, OWN, "M0") == "first"


async def test_an_operator_finds_the_machine_of_its_only_organization_or_of_the_named_one(
    gateway: Gateway,
) -> None:
    query = """query($m: String!, $o: String) { machine(machineId: $m, organizationId: $o) {
      status { execution } } }"""
    await gateway.add_device(OWN, "M0")
    await gateway.write(OWN, "M0", "of own")
    await gateway.write(FOREIGN, "M0", "of foreign")
    for organization, text in ((None, "of own"), (OWN, "of own"), (FOREIGN, "of foreign")):
        data = await gateway.data("operator", query, m="M0", o=organization)
        assert data["machine"]["status"] == {"execution": text}
    assert await gateway.code("operator", query, m="M0", o="missing") == "NOT_FOUND"


async def write_to_server(
    server: InfluxDB2 | InfluxDB3, databases: Mapping[str, str], tag: str | None = None
) -> None:
    """M0 of both organizations, in the database of each, and with its tag."""
    for organization, database in databases.items():
        tags = {MACHINE: "M0"} | ({} if tag is None else {tag: organization})
        now = time.time_ns()
        points = [
            Point(
                "state", tuple(sorted(tags.items())), {"power": True, "execution": f"of {organization}"}, now
            ),
            Point("production", tuple(sorted(tags.items())), {"pieces_produced": 5}, now),
        ]
        await send(server, database, points)


@pytest.mark.parametrize("kind", ["influxdb3", "influxdb2"])
async def test_on_a_server_they_are_separated_as_the_operator_chooses(
    request: pytest.FixtureRequest, kind: str, tmp_path: Path
) -> None:
    server: InfluxDB2 | InfluxDB3 = request.getfixturevalue(f"{kind}_server")
    url, org = server.url, ""
    if isinstance(server, InfluxDB2):
        url, org = f"influxdb2+{server.url}", server.org
    common, foreign = (f"d{uuid.uuid4().hex[:12]}" for _ in range(2))
    connection = {"url": url, "org": org, "token": server.token, "database": common}
    for database in (common, foreign):
        await create(server, database)

    await write_to_server(server, {OWN: common, FOREIGN: foreign})
    chosen = {"databases": {FOREIGN: foreign}}
    async with open_gateway(tmp_path / "databases", **connection, **chosen) as gateway:
        for organization in (OWN, FOREIGN):
            await gateway.add_device(organization, "M0")
        await check_own_points(gateway)

    await write_to_server(server, {OWN: foreign, FOREIGN: foreign}, tag="tenant")
    connection["database"] = foreign  # beside the points without a tag, which nobody reads
    async with open_gateway(tmp_path / "tag", **connection, organization_tag="tenant") as gateway:
        for organization in (OWN, FOREIGN):
            await gateway.add_device(organization, "M0")
            device = (await gateway.data(organization, DEVICE, o=organization, m="M0"))["device"]
            assert device["series"]["values"] == [f"of {organization}"]
            assert device["counter"]["increase"] is not None
            assert [event["value"] for event in device["events"]] == [f"of {organization}", "5"]
            analytics = (await gateway.data(organization, ANALYTICS))["analytics"]
            assert (analytics["connectedDevices"], analytics["eventsProcessed"]) == (1, 2)
        assert (await gateway.data("operator", UNASSIGNED))["unassignedMachines"] == []


@pytest.mark.parametrize("chosen", [{"shared": True}, {}])
async def test_in_a_shared_database_a_machine_id_of_two_organizations_is_refused(
    influxdb3_server: InfluxDB3, tmp_path: Path, chosen: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    database = f"d{uuid.uuid4().hex[:12]}"
    await create(influxdb3_server, database)
    now = time.time_ns()
    names = ("M0", "M1")
    await send(
        influxdb3_server,
        database,
        [Point("state", ((MACHINE, name),), {"power": True, "execution": name}, now) for name in names],
    )
    connection = {"url": influxdb3_server.url, "token": influxdb3_server.token, "database": database}
    async with open_gateway(tmp_path, **connection, **chosen) as gateway:
        for machine in ("M0", "M1"):
            await gateway.add_device(OWN, machine)
        assert await gateway.execution(OWN, OWN, "M0") == "M0"
        await gateway.add_device(FOREIGN, "M0")
        for who in (OWN, FOREIGN):
            answer = await gateway.ask(who, DEVICE, o=who, m="M0")
            assert {error["extensions"]["code"] for error in answer["errors"]} == {"CONFLICT"}
            assert len(answer["errors"]) == 7
            text = " ".join(error["message"] for error in answer["errors"])
            assert re.search(rf"\b({OWN}|{FOREIGN})\b", text) is None
        # In a list it costs the machine's own fields.
        query = """query($o: String!) { application(organizationId: $o, applicationId: "cnc") {
          devices { nodes { machineId status { execution } } } } }"""
        answer = await gateway.ask(OWN, query, o=OWN)
        assert answer["data"]["application"]["devices"]["nodes"] == [
            {"machineId": "M0", "status": None},
            {"machineId": "M1", "status": {"execution": "M1"}},
        ]
        assert [error["path"][-2:] for error in answer["errors"]] == [[0, "status"]]
        assert await gateway.code("operator", '{ machine(machineId: "M0") { connected } }') == "CONFLICT"
        await gateway.delete_device(FOREIGN, "M0")
        assert await gateway.execution(OWN, OWN, "M0") == "M0"
    warned = any("told apart by machine id alone" in record.getMessage() for record in caplog.records)
    assert warned == (not chosen)


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        ({"databases": {"a": "same", "b": "same"}}, "a database of its own"),
        ({"databases": {"a": "machines"}}, "a database of its own"),
        ({"databases": {"a": "server__stats"}}, "a database of its own"),
        ({"shared": True}, "for InfluxDB"),
        ({"organization_tag": "tenant"}, "for InfluxDB"),
        ({"url": "http://x", "shared": True, "organization_tag": "tenant"}, "choose"),
        ({"url": "http://x", "organization_tag": "machine_id"}, "names the machine"),
    ],
)
def test_layouts_that_separate_nobody_are_no_settings(series: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Settings.model_validate({"series": series})
