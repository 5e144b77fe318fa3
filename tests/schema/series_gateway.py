"""A gateway that two organizations share, whose machines have the same ids, for the tests of their series."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from starlette.requests import Request

from resolvers.grants import OPEN, Grant, Role
from schema.server.app import create_app
from schema.server.settings import Settings
from stores.contracts.samples import MACHINE
from tests.schema.conftest import CREATE_APPLICATION, CREATE_DEVICE, CREATE_ORGANIZATION

OWN, FOREIGN = "own", "foreign"
GRANTS = {
    "operator": OPEN,
    "own": Grant("own", Role.ADMIN, frozenset({OWN}), ingest=True),
    "foreign": Grant("foreign", Role.ADMIN, frozenset({FOREIGN}), ingest=True),
    "narrow": Grant("narrow", Role.VIEWER, frozenset({OWN}), frozenset({"cnc"})),
    "both": Grant("both", Role.VIEWER, frozenset({OWN, FOREIGN}), ingest=True),
}
EVENTS = "events(includeHeartbeats: true) { nodes { value } }"
FIELDS = f"""connected status {{ power execution }} {EVENTS}
  latest(measurement: "state", field: "execution") {{ value }}
  series(measurement: "state", field: "execution", range: {{last: "P1D"}}) {{ values }}
  counter(measurement: "production", field: "pieces_produced", range: {{last: "P1D"}}) {{ increase }}
  states(range: {{last: "P1D"}}) {{ durations {{ value }} }}"""
DEVICE = f"""query($o: String!, $m: String!) {{
  device(organizationId: $o, applicationId: "cnc", machineId: $m) {{ {FIELDS} }} }}"""
SERIES = """query($o: String!, $m: String!) { series(
  machines: [{organizationId: $o, applicationId: "cnc", machineId: $m}],
  fields: [{measurement: "state", field: "execution"}], range: {last: "P1D"}) { series { values } } }"""
APPLICATION = f"""query($o: String!) {{ application(organizationId: $o, applicationId: "cnc") {{
  lastActivity connectedDeviceCount {EVENTS} }}
  organization(organizationId: $o) {{ analytics {{ connectedDevices eventsProcessed {EVENTS} }} }} }}"""
ANALYTICS = f"{{ analytics {{ connectedDevices eventsProcessed {EVENTS} }} }}"
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
            for organization in (OWN, FOREIGN):  # which are there already at a second start
                await gateway.ask("operator", CREATE_ORGANIZATION, organization=organization)
                await gateway.ask(
                    "operator", CREATE_APPLICATION, organization=organization, application="cnc"
                )
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
    assert (whole["connectedDevices"], whole["eventsProcessed"]) == (2, 4)
    for who in (OWN, FOREIGN):
        analytics = (await gateway.data(who, ANALYTICS))["analytics"]
        assert (analytics["connectedDevices"], analytics["eventsProcessed"]) == (1, 2)
