"""Bare Starlette handlers: what this stack costs at least, with the commands that the gateway sends.

The old device list is one `find`, dumped with orjson. `/graphql` answers three queries without reading them:
`{ __typename }`, Q1 and Q2 of `bench.execution`.
"""

import asyncio
import sys
from datetime import datetime
from typing import Any

import orjson
import uvicorn
import uvloop
from pymongo import AsyncMongoClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.peers.data import DATABASE, time_text

PORT, MONGODB = sys.argv[1:3]


# The devices of an application key by key, as the gateway reads them.
KEYS = ("_id", "machineId", "name", "createdAt", "updatedAt", "events")
LIST_DEVICES: list[dict[str, Any]] = [
    {"$sort": {"_id": 1}},
    {"$limit": 1000},
    {"$group": {"_id": None, **{f"{key}_": {"$push": f"${key}"} for key in KEYS}}},
]


def count_devices(settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Count the devices of all applications by one command."""
    pipeline = [{"$count": "n"}]
    lookups = [
        {"$lookup": {"from": f"{name}_devices", "pipeline": pipeline, "as": name}} for name in settings
    ]
    return [{"$limit": 1}, {"$project": {"_id": 1}}, *lookups]


def render(data: Any) -> Response:
    content = orjson.dumps({"data": data}, default=plain, option=orjson.OPT_PASSTHROUGH_DATETIME)
    return Response(content, media_type="application/json")


def plain(value: Any) -> Any:
    return time_text(value) if isinstance(value, datetime) else str(value)


async def main() -> None:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(MONGODB)

    async def answer(request: Request) -> Response:
        organization, application = request.path_params["o"], request.path_params["a"]
        devices = await client[organization][f"{application}_devices"].find().to_list()
        content = orjson.dumps(devices, default=plain, option=orjson.OPT_PASSTHROUGH_DATETIME)
        return Response(content, media_type="application/json")

    async def graphql(request: Request) -> Response:
        query, database = orjson.loads(await request.body())["query"], client[DATABASE]
        if "__typename" in query:
            return render({"__typename": "Query"})
        entries = await database["config"].find({"key": {"$in": ["organization", "applications"]}}).to_list()
        settings = entries[0]["value"]["applicationSettings"]
        if "deviceCount" in query:
            cursor = await database["config"].aggregate(count_devices(settings))
            counts = (await cursor.to_list())[0]
            applications = [
                {"name": value["name"], "deviceCount": counts[name][0]["n"]}
                for name, value in settings.items()
            ]
            name = entries[1]["value"]["name"]
            return render({"organization": {"name": name, "applications": applications}})
        cursor = await database["app1_devices"].aggregate(LIST_DEVICES)
        columns = (await cursor.to_list())[0]
        keys = [key for key in columns if key != "_id"]
        rows = zip(*(columns[key] for key in keys), strict=True)
        return render(
            {"application": {"devices": {"nodes": [dict(zip(keys, row, strict=True)) for row in rows]}}}
        )

    app = Starlette(
        routes=[
            Route("/api/organizations/{o}/applications/{a}/devices", answer),
            Route("/graphql", graphql, methods=["POST"]),
        ]
    )
    print("ready", flush=True)
    await uvicorn.Server(uvicorn.Config(app, port=int(PORT), log_level="error", access_log=False)).serve()


with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main())
