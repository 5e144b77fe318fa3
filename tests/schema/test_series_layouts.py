"""Organizations whose machines have the same ids, on a server, in each layout of its databases."""

import re
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from schema.server.settings import Settings
from stores.contracts.samples import MACHINE, Point
from tests.contract.series_stores import create, send
from tests.schema.series_gateway import (
    ANALYTICS,
    DEVICE,
    FOREIGN,
    OWN,
    UNASSIGNED,
    check_own_points,
    open_gateway,
)
from tests.servers import InfluxDB2, InfluxDB3


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
            assert [event["value"] for event in device["events"]["nodes"]] == [f"of {organization}", "5"]
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
    warned = any("distinguished by machine id alone" in record.getMessage() for record in caplog.records)
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
