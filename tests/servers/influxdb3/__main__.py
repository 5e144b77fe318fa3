"""The stand-in as a program: it prints `ready URL` as soon as it answers, and ends on SIGTERM."""

import argparse
import asyncio

import uvicorn

from tests.servers.influxdb3.http import create_app
from tests.servers.influxdb3.storage import MemoryStore


async def serve(port: int, databases: list[str], tokens: list[str]) -> None:
    app = create_app(MemoryStore(databases), tokens)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    if server.started:
        print(f"ready http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", flush=True)
    await task


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.servers.influxdb3")
    parser.add_argument("--port", type=int, default=8181, help="0 takes a free one")
    parser.add_argument("--token", action="append", default=[], help="may be repeated")
    parser.add_argument("--database", action="append", default=[], help="created empty; may be repeated")
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.database, options.token))
