"""Machines that write but are not registered, and figures that count registered devices alone."""

import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from stores.contracts.samples import MACHINE, SECOND, Point
from tests.contract.series_stores import create, send
from tests.schema.series_gateway import FOREIGN, OWN, UNASSIGNED, Gateway, open_gateway
from tests.servers import InfluxDB3

UNREGISTERED = """query($o: String!, $first: Int, $after: String, $range: TimeRange) {
  organization(organizationId: $o) { unregisteredMachines(first: $first, after: $after, range: $range) {
    nodes { machineId status { execution } } totalCount pageInfo { endCursor hasNextPage } } } }"""
FIGURES = "registeredDevices connectedDevices all: connectedDevices(includeUnregistered: true)"
OF_ORGANIZATION = f"query($o: String!) {{ organization(organizationId: $o) {{ analytics {{ {FIGURES} }} }} }}"
OF_ALL = f"{{ analytics {{ {FIGURES} }} }}"


async def list_unregistered(gateway: Gateway, who: str, organization: str, **arguments: Any) -> list[str]:
    data = await gateway.data(who, UNREGISTERED, o=organization, **arguments)
    return [node["machineId"] for node in data["organization"]["unregisteredMachines"]["nodes"]]


async def test_machines_of_an_organization_without_a_device_are_listed(tmp_path: Path) -> None:
    async with open_gateway(tmp_path) as gateway:
        for machine in ("M0", "silent"):
            await gateway.add_device(OWN, machine)
        for machine in ("M0", "U2", "U0", "U1"):
            await gateway.write(OWN, machine, f"of {machine}")
        await gateway.write(FOREIGN, "F0", "foreign")
        await gateway.write("operator", "nobody", "nobody")
        for who in (OWN, "both", "operator"):
            assert await list_unregistered(gateway, who, OWN) == ["U0", "U1", "U2"]
        assert await list_unregistered(gateway, "operator", FOREIGN) == ["F0"]
        assert await gateway.data(FOREIGN, UNREGISTERED, o=OWN) == {"organization": None}
        # To applications such machines do not belong; those of others would be among them.
        assert await gateway.code("narrow", UNREGISTERED, o=OWN) == "FORBIDDEN"

        first = (await gateway.data(OWN, UNREGISTERED, o=OWN, first=2))["organization"][
            "unregisteredMachines"
        ]
        assert first["nodes"][0] == {"machineId": "U0", "status": {"execution": "of U0"}}
        assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (3, True)
        after = first["pageInfo"]["endCursor"]
        assert await list_unregistered(gateway, OWN, OWN, after=after) == ["U2"]
        assert await gateway.code("both", UNREGISTERED, o=FOREIGN, after=after) == "BAD_USER_INPUT"
        past = {"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"}
        assert await list_unregistered(gateway, OWN, OWN, range=past) == []
        await gateway.add_device(OWN, "U1")
        assert await list_unregistered(gateway, OWN, OWN) == ["U0", "U2"]

        # Those whose points belong to no organization are others.
        unassigned = (await gateway.data("operator", UNASSIGNED))["unassignedMachines"]
        assert unassigned == [{"machineId": "nobody", "organizationIds": []}]
        own = (await gateway.data(OWN, OF_ORGANIZATION, o=OWN))["organization"]["analytics"]
        assert own == {"registeredDevices": 3, "connectedDevices": 2, "all": 2}
        everybody = (await gateway.data("operator", OF_ALL))["analytics"]
        assert everybody == {"registeredDevices": 3, "connectedDevices": 2, "all": 6}


@pytest.mark.parametrize("layout", ["databases", "tag", "shared"])
async def test_on_a_server_they_are_those_of_the_place_of_the_organization(
    influxdb3_server: InfluxDB3, tmp_path: Path, layout: str
) -> None:
    common, own = (f"d{uuid.uuid4().hex[:12]}" for _ in range(2))
    choices: dict[str, dict[str, Any]] = {
        "databases": {"databases": {OWN: own}},
        "tag": {"organization_tag": "tenant"},
        "shared": {"shared": True},
    }
    connection = {"url": influxdb3_server.url, "token": influxdb3_server.token, "database": common}
    now = time.time_ns()
    for database in (common, own):
        await create(influxdb3_server, database)
        points = [
            Point("state", tuple(sorted({MACHINE: name, **tags}.items())), {"power": True}, now - SECOND)
            for name, tags in (("M0", {"tenant": OWN}), ("U0", {"tenant": OWN}), ("X0", {}))
        ]
        await send(influxdb3_server, database, points)
    async with open_gateway(tmp_path, **connection, **choices[layout]) as gateway:
        await gateway.add_device(OWN, "M0")
        expected = {"databases": ["U0", "X0"], "tag": ["U0"], "shared": []}[layout]
        assert await list_unregistered(gateway, OWN, OWN) == expected
        unassigned = (await gateway.data("operator", UNASSIGNED))["unassignedMachines"]
        assert [machine["machineId"] for machine in unassigned] == {
            "databases": ["U0", "X0"],
            "tag": [],
            "shared": ["U0", "X0"],
        }[layout]
        everybody = (await gateway.data("operator", OF_ALL))["analytics"]
        connected = 6 if layout == "databases" else 3
        assert everybody == {"registeredDevices": 1, "connectedDevices": 1, "all": connected}
