"""What operators see of requests: metrics, the log of slow operations, ids of requests, and traces."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.parser import text_string_to_metric_families
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from compat_rest.app import create_app
from schema.server.instruments import OTHER, BoundedNames
from schema.server.logs import configure_logging
from schema.server.settings import LogSettings, Settings
from schema.server.tracing_settings import TracingSettings
from stores.backends.mongo.documents import MongoDocumentStore
from stores.backends.mongo.locks import HIDDEN_PREFIX
from stores.contracts.document_store import DocumentStore
from stores.entities.organizations import Organization
from stores.opening import open_series
from tests.schema.client import Client
from tests.servers import Server
from tests.serving import served

QUERY = (
    "query Names { organizations { nodes { name applications { devices(first: 3) { nodes { name } } } } } }"
)


def make_client(documents: DocumentStore, folder: Path, **sections: Any) -> Client:
    return Client(create_app(Settings(data=folder, **sections), documents=documents), documents)


async def scrape(client: Client) -> dict[tuple[str, ...], float]:
    """The samples by name and the values of their labels, which are in the order of their names."""
    text = (await client.http.get("/metrics")).text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_requests_and_calls_to_the_stores_are_counted(documents: DocumentStore, tmp_path: Path) -> None:
    client = make_client(documents, tmp_path)
    for _ in range(3):
        await client.run(QUERY)
    await client.send("query Wrong { organizations { nodes { nothing } } }")
    await client.send("query Limit { organizations(first: 5000) { nodes { name } } }")
    await client.http.get("/api/organizations")
    await client.http.get("/api/organizations/none/applications/a/devices")
    samples = await scrape(client)
    assert samples["sync_gateway_requests_total", "OK", "Names", "operator"] == 3
    assert samples["sync_gateway_requests_total", "BAD_USER_INPUT", "(unnamed)", "operator"] == 1
    assert samples["sync_gateway_requests_total", "LIMIT_EXCEEDED", "Limit", "operator"] == 1
    assert samples["sync_gateway_request_seconds_count", "Names"] == 3
    assert samples["sync_gateway_store_calls_total", "OK", "databases", "documents"] >= 3
    assert samples["sync_gateway_store_seconds_count", "databases", "documents"] >= 3
    assert samples["sync_gateway_old_route_requests_total", "open", "GET /api/organizations"] == 1
    assert samples["sync_gateway_requests_executing", "cheap"] == 0
    assert samples["sync_gateway_store_suspended", "series"] == 0
    assert samples["process_resident_memory_bytes",] > 10_000_000


async def test_clients_choose_no_more_names_than_a_registry_can_bear(
    documents: DocumentStore, tmp_path: Path
) -> None:
    names = BoundedNames(2)
    assert [names(name) for name in ("a", "b", "c", "a")] == ["a", "b", OTHER, "a"]
    client = make_client(documents, tmp_path)
    long = "A" * 100_000
    assert "errors" not in await client.send(f"query {long} {{ __typename }}")
    text = (await client.http.get("/metrics")).text
    assert f'operation="{OTHER}"' in text
    assert long not in text


async def test_a_slow_operation_is_logged_with_what_each_store_took(
    documents: DocumentStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = make_client(documents, tmp_path, log=LogSettings(slow=0, format="json"))
    configure_logging(LogSettings(format="json"))
    try:
        secret = 'query Slow { organization(organizationId: "demo-only-secret") { name } }'
        response = await client.http.post("/graphql", json={"query": secret})
    finally:
        logging.getLogger().handlers.clear()
    [line] = [line for line in capsys.readouterr().err.splitlines() if "a slow operation" in line]
    entry = httpx.Response(200, text=line).json()
    assert entry["operation"] == "Slow"
    assert entry["requestId"] == response.headers["x-request-id"]
    assert entry["stores"]["documents"]["calls"] > 0
    assert entry["cost"]["calls"] > 0
    assert entry["level"] == "warning"
    assert "demo-only-secret" not in line


@asynccontextmanager
async def otlp_receiver() -> AsyncIterator[tuple[str, list[Span]]]:
    """A collector of traces: its URL, and the spans that it has received."""
    spans: list[Span] = []

    async def receive(request: Request) -> Response:
        message = ExportTraceServiceRequest.FromString(await request.body())
        spans.extend(
            s for resource in message.resource_spans for scope in resource.scope_spans for s in scope.spans
        )
        return Response(b"", media_type="application/x-protobuf")

    async with served(Starlette(routes=[Route("/v1/traces", receive, methods=["POST"])])) as url:
        yield f"{url}/v1/traces", spans


async def test_a_request_is_a_trace_of_its_operation_batches_and_store_calls(
    documents: DocumentStore, tmp_path: Path
) -> None:
    trace_id, parent_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    async with otlp_receiver() as (endpoint, spans):
        client = make_client(documents, tmp_path, tracing=TracingSettings(endpoint=endpoint))
        headers = {"traceparent": f"00-{trace_id}-{parent_id}-01"}
        literal = 'query Names { organization(organizationId: "demo-only-secret") { name deviceCount } }'
        await client.http.post("/graphql", json={"query": literal}, headers=headers)
        await client.send("query Broken { organizations(first: -1) { nodes { name } } }")
        await asyncio.to_thread(client.app.state.app_state.resources.tracing.close)
    mine = [span for span in spans if span.trace_id.hex() == trace_id]
    [operation] = [span for span in mine if span.kind == Span.SPAN_KIND_SERVER]
    assert operation.name == "query Names"
    assert operation.parent_span_id.hex() == parent_id
    attributes = {a.key: a.value.string_value for a in operation.attributes}
    assert attributes == {"graphql.operation.type": "query", "graphql.operation.name": "Names"}
    batches = [span for span in mine if span.name == "batch"]
    calls = [span for span in mine if span.kind == Span.SPAN_KIND_CLIENT]
    assert batches
    assert calls
    for call in calls:
        named = {a.key: a.value.string_value for a in call.attributes}
        assert named["db.system.name"] == "sqlite"
        assert named["db.operation.name"] in call.name
    ids = {span.span_id.hex() for span in mine} | {parent_id}
    assert all(span.parent_span_id.hex() in ids for span in (*batches, *calls))
    assert "demo-only-secret" not in str(spans)
    [failed] = [span for span in spans if span.name == "query Broken"]
    assert failed.status.message == "BAD_USER_INPUT"
    assert failed.trace_id.hex() != trace_id


class Comments(CommandListener):
    """The comments of commands that read organizations, and of all that change what is no lock or record."""

    def __init__(self) -> None:
        self.reads: list[Any] = []
        self.writes: list[tuple[str, Any]] = []

    def started(self, event: CommandStartedEvent) -> None:
        target, comment = event.command.get(event.command_name), event.command.get("comment")
        if event.command_name in {"insert", "update", "delete", "findAndModify"}:
            if not str(target).startswith(HIDDEN_PREFIX):
                self.writes.append((event.command_name, comment))
        elif target == Organization.collection_of().name:
            self.reads.append(comment)

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None: ...


async def test_mongodb_is_told_the_id_of_the_request(mongodb_server: Server, tmp_path: Path) -> None:
    comments = Comments()
    store = MongoDocumentStore(mongodb_server.url, listeners=[comments])
    client = Client(create_app(Settings(data=tmp_path), documents=store), store)
    ids = []
    for _ in range(2):
        query = '{ organization(organizationId: "observed") { name } }'
        response = await client.http.post("/graphql", json={"query": query})
        ids.append(response.headers["x-request-id"])
    assert comments.reads == ids
    of = 'organizationId: "observed-changes", applicationId: "a"'
    kinds = set()
    for change in (
        'createOrganization(input: {organizationId: "observed-changes"})',
        f'createApplication(input: {{{of}, name: "A"}})',
        f'createDevice(input: {{{of}, machineId: "M", name: "M"}})',
        f'updateDevice(input: {{{of}, machineId: "M", name: "N"}})',
        f'deleteDevice(input: {{{of}, machineId: "M"}})',
    ):
        comments.writes.clear()
        body = {"query": f"mutation {{ {change} {{ __typename }} }}"}
        response = await client.http.post("/graphql", json=body)
        assert "errors" not in response.json(), response.text
        assert {comment for _, comment in comments.writes} == {response.headers["x-request-id"]}
        kinds |= {kind for kind, _ in comments.writes}
    assert kinds >= {"insert", "findAndModify"}
    await store.close()


@pytest.mark.parametrize(
    ("scheme", "path", "no_rows"), [("", "/api/v3/query_sql", b"[]"), ("influxdb2+", "/api/v2/query", b"")]
)
async def test_influxdb_is_told_the_place_in_the_trace(
    documents: DocumentStore, tmp_path: Path, scheme: str, path: str, no_rows: bytes
) -> None:
    received: list[str | None] = []

    async def answer(request: Request) -> Response:
        received.append(request.headers.get("traceparent"))
        return Response(no_rows)

    influxdb = Starlette(routes=[Route(path, answer, methods=["POST"])])
    async with otlp_receiver() as (endpoint, _), served(influxdb) as url:
        series = open_series(scheme + url, data=tmp_path)
        settings = Settings(data=tmp_path, tracing=TracingSettings(endpoint=endpoint))
        app = create_app(settings, documents=documents, series=series)
        client = Client(app, documents)
        trace_id = "0af7651916cd43dd8448eb211c80319c"
        headers = {"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
        query = '{ machine(machineId: "M") { status { power } } }'
        await client.http.post("/graphql", json={"query": query}, headers=headers)
        await asyncio.to_thread(app.state.app_state.resources.tracing.close)
        await series.close()
    assert received
    assert {value and value[3:35] for value in received} == {trace_id}
