"""A bare Starlette handler of the old device list: one `find`, dumped with orjson."""

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

from bench.peers.data import time_text

PORT, MONGODB = sys.argv[1:3]


def plain(value: Any) -> Any:
    return time_text(value) if isinstance(value, datetime) else str(value)


async def main() -> None:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(MONGODB)

    async def answer(request: Request) -> Response:
        organization, application = request.path_params["o"], request.path_params["a"]
        devices = await client[organization][f"{application}_devices"].find().to_list()
        content = orjson.dumps(devices, default=plain, option=orjson.OPT_PASSTHROUGH_DATETIME)
        return Response(content, media_type="application/json")

    app = Starlette(routes=[Route("/api/organizations/{o}/applications/{a}/devices", answer)])
    print("ready", flush=True)
    await uvicorn.Server(uvicorn.Config(app, port=int(PORT), log_level="error", access_log=False)).serve()


with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main())
