"""A gateway with two organizations that look alike, and clients with any grant. One application serves all."""

import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bson
import httpx
from starlette.requests import Request
from starlette.routing import Route

from compat_rest.app import create_app
from resolvers.api_keys import KeySpec, create_api_key
from resolvers.grants import OPEN, PUBLIC, Grant, Role
from resolvers.rules.ids import decode_global_id, encode_global_id
from schema.server.settings import Settings
from stores.contracts.document_store import DocumentStore
from stores.contracts.documents import Collection
from stores.contracts.errors import Unauthenticated
from stores.contracts.samples import MACHINE, Point
from stores.contracts.series import WritableSeriesStore
from stores.entities.series_layout import SeriesLayout
from stores.opening import open_documents, open_series
from stores.wrappers.counting import CallCounter
from stores.wrappers.documents import WrappedDocumentStore
from stores.wrappers.series import WrappedWritableSeriesStore
from tests.compat_rest.questions import Values

# Names of one length, so that messages with positions differ in nothing else.
OWN, FOREIGN, MISSING = "own", "foreign", "missing"
MARKER = "MARKER"  # in all that the foreign organization stores
APPLICATION, MACHINE_ID, IDEMPOTENCY_KEY = "cnc", "M0", "shared-key"
GRANTS = {
    "operator": OPEN,
    "viewer": Grant("own-key", Role.VIEWER, frozenset({OWN})),
    "editor": Grant("own-key", Role.EDITOR, frozenset({OWN})),
    "admin": Grant("own-key", Role.ADMIN, frozenset({OWN})),
    "admin of an application": Grant("own-key", Role.ADMIN, frozenset({OWN}), frozenset({"other"})),
    "writer of points": Grant("own-key", None, frozenset({OWN}), ingest=True),
    "nobody": PUBLIC,
}
TENANTS = [name for name in GRANTS if name != "operator"]
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z|PT[\d.]+S")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client sees of a response, and the calls to the stores that it took."""

    status: int
    text: str
    calls: tuple[str, ...]

    def without_names(self) -> "Answer":
        """The same without the name of the requested organization."""
        text = self.text.replace(FOREIGN, "?").replace(MISSING, "?")
        return Answer(self.status, text, self.calls)


class TwoTenants:
    """The gateway. A client names its grant in a header."""

    def __init__(self, documents: DocumentStore, series: WritableSeriesStore, folder: Path) -> None:
        self.documents, self._series = documents, series
        self._counter = CallCounter()

        async def authenticate(request: Request) -> Grant:
            name = request.headers.get("x-grant")
            if name is None:
                raise Unauthenticated("Send a credential")
            return GRANTS[name]

        budgets = ("cost_per_minute", "tenant_cost_per_minute", "address_requests_per_minute")
        sizes = ("calls", "documents", "points", "objects")
        limits = {**dict.fromkeys(budgets), **dict.fromkeys(sizes, 10**12)}
        settings = Settings.model_validate(
            {"data": folder, "graphql": {"max_tokens": 200_000}, "limits": limits}
        )
        app = create_app(
            settings,
            documents=WrappedDocumentStore(documents, self._counter),
            series=WrappedWritableSeriesStore(series, self._counter),
            authenticate=authenticate,
        )
        self.paths = {
            route.path: route.methods or {"GET"} for route in app.routes if isinstance(route, Route)
        }
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")
        self.values: dict[str, Values] = {}  # by organization: what its ids are

    async def send(self, grant: str | None, method: str, path: str, **options: Any) -> Answer:
        """The response to a request. Times and ages are left out, which no two responses share."""
        self._counter.calls.clear()
        headers = {} if grant is None else {"x-grant": grant}
        response = await self.http.request(method, path, headers=headers, **options)
        calls = sorted(call for call in self._counter.calls if "gateway_refusals" not in call)
        return Answer(response.status_code, _TIME.sub("TIME", response.text), tuple(calls))

    async def ask(self, grant: str | None, query: str) -> Answer:
        return await self.send(grant, "POST", "/graphql", json={"query": query})

    async def run(self, grant: str, query: str) -> Any:
        """The data of an operation that must not fail."""
        response = await self.http.post("/graphql", json={"query": query}, headers={"x-grant": grant})
        assert "errors" not in response.json(), response.text
        return response.json()["data"]

    async def fill(self) -> None:
        for organization, text in ((OWN, "own"), (FOREIGN, MARKER)):
            for mutation in creations(organization, text):
                await self.run("operator", f"mutation {{ {mutation} {{ __typename }} }}")
            # Both machines have the same id, and their points of one time differ.
            database = SeriesLayout().find_location(organization).database
            now = time.time_ns()
            points = [
                point
                for machine in (((MACHINE, MACHINE_ID),), ((MACHINE, f"{text} unregistered"),))
                for point in (
                    Point("state", machine, {"power": True, "execution": text}, now),
                    Point("events", machine, {"event_value": text}, now),
                )
            ]
            assert not any(await self._series.write(database, points))
        for organization in (OWN, FOREIGN):
            self.values[organization] = await self._list_values(organization)
        device = decode_global_id(self.values[FOREIGN]["id"])
        assert device is not None
        self.values[FOREIGN]["machineIds"] = MACHINE_ID
        missing = {"organizationId": MISSING, "organizationIds": MISSING, "keyId": "A" * 12}
        missing["id"] = missing["entityId"] = encode_global_id(device[0], MISSING, *device[1][1:])
        self.values[MISSING] = {**self.values[FOREIGN], **missing}

    async def _list_values(self, organization_id: str) -> Values:
        query = """{ organization(organizationId: "%s") { id connectors { documentId } users { documentId }
            devices { nodes { id } } } }"""
        organization = (await self.run("operator", query % organization_id))["organization"]
        name = MARKER if organization_id == FOREIGN else OWN
        spec = KeySpec(name, (organization_id,), Role.VIEWER)
        keys = self.documents.database(self.documents.default)
        key, _ = await create_api_key(keys, spec, created_by=name)
        return {
            "organizationId": organization_id,
            "organizationIds": organization_id,
            "applicationId": APPLICATION,
            "machineId": MACHINE_ID,
            "gatewayId": "g",
            "documentId": organization["connectors"][0]["documentId"],
            "keyId": key.key_id,
            "id": organization["devices"]["nodes"][0]["id"],
            "entityId": organization["devices"]["nodes"][0]["id"],
            "name": "changed",
            "search": MARKER,
            "subject": OPEN.subject,
        }

    async def dump(self) -> dict[str, list[bytes]]:
        """Every document of the foreign organization, encoded."""
        database = self.documents.database(FOREIGN)
        return {
            name: [bson.encode(document) for document in await database.find(Collection(name))]
            for name in await database.list_collections()
        }


def creations(organization: str, text: str) -> Iterator[str]:
    """Mutations that create one of each, under the same idempotency key, with `text` in all of them."""
    scope, once = f'organizationId: "{organization}"', f'idempotencyKey: "{IDEMPOTENCY_KEY}-%s"'
    of_application = f'{scope}, applicationId: "{APPLICATION}"'
    for name, input_ in {
        "createOrganization": f'{scope}, name: "{text}"',
        "createApplication": f'{of_application}, name: "{text}"',
        "createUser": f'{scope}, name: "{text}", email: "{text}"',
        "createGateway": f'{scope}, gatewayId: "g", name: "{text}"',
        "createConnector": f'{scope}, name: "{text}", driver: "{text}"',
        "createDevice": f'{of_application}, machineId: "{MACHINE_ID}", name: "{text}"',
        "createFunction": f"""{of_application}, functionId: "f", name: "{text}", expression: "{text}",
          variables: ["x"]""",
    }.items():
        yield f"{name}(input: {{{input_}, {once % name}}})"
    yield f"""addEventClass(input: {{{of_application}, {once % "addEventClass"}, eventClass: {{
      eventClassId: "e", class: "{text}", topic: "{text}", type: "INT"}}}})"""


@asynccontextmanager
async def open_tenants(folder: Path) -> AsyncIterator[TwoTenants]:
    """The gateway over embedded stores in a folder, with both organizations."""
    documents, series = open_documents(None, data=folder), open_series(None, data=folder)
    assert isinstance(series, WritableSeriesStore)
    tenants = TwoTenants(documents, series, folder)
    await tenants.fill()
    yield tenants
    await tenants.http.aclose()
    await documents.close()
    await series.close()
