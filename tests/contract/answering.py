"""A small HTTP server that answers what a test tells it to, in place of an InfluxDB."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Answer:
    """A response: `body` may be cut off in the middle by a larger `length`."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class AnsweringServer:
    """Answers every request by `choose`, which is given the text of the request, and counts them."""

    def __init__(self, choose: Callable[[str], Answer]) -> None:
        self.choose = choose
        self.requests = 0
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        self.requests += 1
        answer = self.choose(await request.text())
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


@asynccontextmanager
async def answering(choose: Callable[[str], Answer]) -> AsyncIterator[AnsweringServer]:
    """Serve on 127.0.0.1 while the context lasts."""
    server = AnsweringServer(choose)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    [address] = runner.addresses
    server.url = f"http://127.0.0.1:{address[1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
