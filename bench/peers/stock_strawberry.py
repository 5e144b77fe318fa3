"""Stock Strawberry: its own executor and data loaders, parsed and validated documents cached."""

import asyncio
import sys
from typing import Any

import strawberry
import uvicorn
import uvloop
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader
from strawberry.extensions import ParserCache, ValidationCache

from bench.peers.data import Data, time_text

PORT, MONGODB, INFLUX = sys.argv[1:4]
data: Data


@strawberry.type
class EventBinding:
    source_id: str
    label: str | None
    class_: str | None = strawberry.field(name="class")


@strawberry.type
class Connector:
    name: str
    driver: str


@strawberry.type
class Status:
    power: bool | None
    execution: str | None


@strawberry.type
class Device:
    document: strawberry.Private[dict[str, Any]]
    document_id: str
    machine_id: str
    name: str | None
    created_at: str | None
    updated_at: str | None

    @strawberry.field
    def event_bindings(self) -> list[EventBinding]:
        return [
            EventBinding(source_id=e["id"], label=e["label"], class_=e["class"])
            for e in self.document["events"]
        ]

    @strawberry.field
    async def connectors(self, info: strawberry.Info) -> list[Connector]:
        known = await info.context["connectors"].load(self.document["application_id"])
        return [known[name] for name in self.document["connectors"] if name in known]

    @strawberry.field
    async def status(self, info: strawberry.Info) -> Status | None:
        return await info.context["statuses"].load(self.machine_id)


@strawberry.type
class DeviceConnection:
    nodes: list[Device]


@strawberry.type
class Application:
    application_id: str
    name: str

    @strawberry.field
    async def device_count(self) -> int:
        return await data.count(self.application_id)

    @strawberry.field
    async def devices(self, first: int = 50) -> DeviceConnection:
        return DeviceConnection(
            nodes=[
                device(device_document) for device_document in await data.devices(self.application_id, first)
            ]
        )


@strawberry.type
class Organization:
    name: str
    applications: list[Application]


def device(document: dict[str, Any]) -> Device:
    return Device(
        document=document,
        document_id=str(document["_id"]),
        machine_id=document["machineId"],
        name=document["name"],
        created_at=time_text(document["createdAt"]),
        updated_at=time_text(document["updatedAt"]),
    )


@strawberry.type
class Query:
    @strawberry.field
    async def organization(self, organization_id: str) -> Organization | None:
        applications = [Application(**application) for application in await data.applications()]
        return Organization(name=organization_id, applications=applications)

    @strawberry.field
    async def application(self, organization_id: str, application_id: str) -> Application | None:
        applications = [Application(**application) for application in await data.applications()]
        return next(
            (application for application in applications if application.application_id == application_id),
            None,
        )


async def load_connectors(keys: list[str]) -> list[dict[str, Connector]]:
    lists = [await data.connectors(key) for key in keys]
    return [{n: Connector(name=n, driver=c["driver"]) for n, c in known.items()} for known in lists]


async def load_statuses(keys: list[str]) -> list[Status | None]:
    rows = await data.statuses(keys)
    return [row and Status(power=row.get("power"), execution=row.get("execution")) for row in rows]


class Server(GraphQL):
    async def get_context(self, request: Any, response: Any) -> Any:
        return {"connectors": DataLoader(load_connectors), "statuses": DataLoader(load_statuses)}


async def started(server: uvicorn.Server) -> None:
    global data
    data = Data(MONGODB, INFLUX)
    print("ready", flush=True)
    await server.serve()


if __name__ == "__main__":
    schema = strawberry.Schema(Query, extensions=[ParserCache, ValidationCache])
    configured = uvicorn.Config(Server(schema, graphql_ide=None), port=int(PORT), log_level="error")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(started(uvicorn.Server(configured)))
