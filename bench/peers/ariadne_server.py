"""Ariadne with data loaders, parsed and validated documents cached."""

import asyncio
import sys
from functools import lru_cache
from typing import Any

import uvicorn
import uvloop
from aiodataloader import DataLoader
from ariadne import ObjectType, QueryType, make_executable_schema
from ariadne.asgi import GraphQL
from graphql import DocumentNode, parse

from bench.peers.data import Data, time_text

PORT, MONGODB, INFLUX = sys.argv[1:4]
SCHEMA = """
type Query { organization(organizationId: String!): Organization
  application(organizationId: String!, applicationId: String!): Application }
type Organization { name: String! applications: [Application!]! }
type Application { applicationId: String! name: String! deviceCount: Int!
  devices(first: Int = 50): DeviceConnection! }
type DeviceConnection { nodes: [Device!]! }
type Device { documentId: String! machineId: String! name: String createdAt: String updatedAt: String
  eventBindings: [EventBinding!]! connectors: [Connector!]! status: Status }
type EventBinding { sourceId: String! label: String class: String }
type Connector { name: String! driver: String! }
type Status { power: Boolean execution: String }
"""
data: Data
query, application, device, binding = (
    QueryType(),
    ObjectType("Application"),
    ObjectType("Device"),
    ObjectType("EventBinding"),
)


@query.field("organization")
async def organization(*_: Any, organizationId: str) -> Any:
    return {"name": organizationId, "applications": await data.applications()}


@query.field("application")
async def one_application(*_: Any, organizationId: str, applicationId: str) -> Any:
    return next(
        (
            application
            for application in await data.applications()
            if application["application_id"] == applicationId
        ),
        None,
    )


application.set_alias("applicationId", "application_id")
binding.set_alias("sourceId", "id")
device.set_field("documentId", lambda document, _: str(document["_id"]))
device.set_field("createdAt", lambda document, _: time_text(document["createdAt"]))
device.set_field("updatedAt", lambda document, _: time_text(document["updatedAt"]))
device.set_alias("eventBindings", "events")


@application.field("deviceCount")
async def device_count(parent: Any, _: Any) -> int:
    return await data.count(parent["application_id"])


@application.field("devices")
async def devices(parent: Any, _: Any, first: int = 50) -> Any:
    return {"nodes": await data.devices(parent["application_id"], first)}


@device.field("connectors")
async def connectors(document: Any, info: Any) -> Any:
    known = await info.context["connectors"].load(document["application_id"])
    return [known[name] for name in document["connectors"] if name in known]


@device.field("status")
async def status(document: Any, info: Any) -> Any:
    return await info.context["statuses"].load(document["machineId"])


async def load_connectors(keys: list[str]) -> list[Any]:
    return [await data.connectors(key) for key in keys]


async def load_statuses(keys: list[str]) -> list[Any]:
    return await data.statuses(keys)


@lru_cache(500)
def parsed(text: str) -> DocumentNode:
    return parse(text)


async def main() -> None:
    global data
    data = Data(MONGODB, INFLUX)
    schema = make_executable_schema(SCHEMA, query, application, device, binding)
    served = GraphQL(
        schema,
        context_value=lambda *_: {
            "connectors": DataLoader(load_connectors),
            "statuses": DataLoader(load_statuses),
        },
        query_parser=lambda _, body: parsed(body["query"]),
        query_validator=lambda *_, **__: [],  # the documents are known to be valid: as if that were cached
    )
    print("ready", flush=True)
    await uvicorn.Server(uvicorn.Config(served, port=int(PORT), log_level="error")).serve()


with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main())
