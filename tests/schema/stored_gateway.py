"""A gateway with a machine, on every time-series store."""

import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stores.contracts.samples import Point, Value
from tests.contract.series_stores import STORES, Put, create, line, send
from tests.schema import machines
from tests.schema.series_gateway import OWN, Gateway, open_gateway
from tests.servers import InfluxDB2, InfluxDB3


@dataclass
class StoredGateway:
    """A gateway whose organization has the device M0, and how points come into its store."""

    gateway: Gateway
    put: Put

    async def write(self, measurement: str, *points: tuple[int, str | None, Mapping[str, Value]]) -> None:
        """Write points of M0: of each its time, its spindle if it has one, and its fields."""
        await self.put(
            *(
                machines.put(measurement, "M0", at, {"spindle": spindle} if spindle else {}, **fields)
                for at, spindle, fields in points
            )
        )

    async def read(self, selection: str, **variables: Any) -> Any:
        """Return the data of the device M0."""
        return (await self.send(selection, **variables))["data"]["device"]

    async def send(self, selection: str, **variables: Any) -> Any:
        """Return the whole answer about the device M0, which has no errors."""
        query = f"""query($o: String!) {{
          device(organizationId: $o, applicationId: "cnc", machineId: "M0") {{ {selection} }} }}"""
        answer = await self.gateway.ask(OWN, query, o=OWN, **variables)
        assert "errors" not in answer, answer
        return answer


@pytest.fixture(params=STORES)
async def stored_gateway(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoredGateway]:
    settings: dict[str, Any] = {}
    if request.param != "sqlite":
        server: InfluxDB2 | InfluxDB3 = request.getfixturevalue(f"{request.param}_server")
        prefix, org = ("influxdb2+", server.org) if isinstance(server, InfluxDB2) else ("", "")
        database = f"d{uuid.uuid4().hex[:12]}"
        settings = {"url": prefix + server.url, "org": org, "token": server.token, "database": database}
        await create(server, database)
    async with open_gateway(tmp_path, **settings) as gateway:

        async def put(*points: Point) -> None:
            if settings:
                await send(server, database, points)
                return
            response = await gateway.http.post(
                "/api/v2/write?bucket=machines&precision=ns",
                content="\n".join(map(line, points)),
                headers={"X-API-Key": OWN},
            )
            assert response.status_code == 204, response.text

        await gateway.add_device(OWN, "M0")
        yield StoredGateway(gateway, put)
