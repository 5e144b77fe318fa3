"""The health checks: whether the process answers, and whether its stores do."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from schema.server.state import AppState
from stores.contracts.document_store import DocumentStore
from stores.contracts.errors import GatewayError, Unavailable
from stores.contracts.series import SeriesStore


class Health:
    """Answers `/health/live` and `/health/ready`."""

    def __init__(self, state: AppState) -> None:
        self._authenticate, self._readiness = state.authenticate, state.resources.readiness
        self._stores: dict[str, DocumentStore | SeriesStore] = {
            "documents": state.documents,
            "series": state.series.store,
        }

    def routes(self) -> list[Route]:
        return [Route("/health/live", self.answer_live), Route("/health/ready", self.answer_ready)]

    async def answer_live(self, request: Request) -> Response:
        """200 as long as the process answers."""
        return JSONResponse({"status": "ok"})

    async def answer_ready(self, request: Request) -> Response:
        """200 if every store can be read, else 503; also 503 once the process is about to stop.

        Operators see which store fails, and `writes: unavailable` if all can be read and one cannot be
        written.
        """
        if not self._readiness.ask():
            return JSONResponse({"status": "draining"}, 503)
        readable = await _check_all({name: store.ping for name, store in self._stores.items()})
        is_ready = all(readable.values())
        body = {"status": _describe_state(is_ready)}
        if await self._is_operator(request):
            body |= {name: _describe_state(is_readable) for name, is_readable in readable.items()}
            if is_ready and not all((await self.check_writes()).values()):
                body["writes"] = "unavailable"
        return JSONResponse(body, 200 if is_ready else 503)

    async def _is_operator(self, request: Request) -> bool:
        try:
            return (await self._authenticate(request)).is_operator
        except GatewayError:  # the check itself needs no credential
            return False

    async def check_writes(self) -> dict[str, bool]:
        """By name of each store whether it takes writes."""
        return await _check_all({name: store.check_writes for name, store in self._stores.items()})


async def _check_all(checks: dict[str, Callable[[], Awaitable[None]]]) -> dict[str, bool]:
    return dict(zip(checks, await asyncio.gather(*map(_passes, checks.values())), strict=True))


async def _passes(check: Callable[[], Awaitable[None]]) -> bool:
    try:
        await check()
    except Unavailable:
        return False
    return True


def _describe_state(is_available: bool) -> str:
    return "ok" if is_available else "unavailable"
