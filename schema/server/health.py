"""The health checks: whether the process answers, and whether its stores do."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stores.contracts.document_store import DocumentStore
from stores.contracts.errors import Unavailable
from stores.contracts.series import SeriesStore


class Health:
    """Answers `/health/live` and `/health/ready`."""

    def __init__(self, documents: DocumentStore, series: SeriesStore) -> None:
        self._pings = {"documents": documents.ping, "series": series.ping}

    def routes(self) -> list[Route]:
        return [Route("/health/live", self.answer_live), Route("/health/ready", self.answer_ready)]

    async def answer_live(self, request: Request) -> Response:
        """200 as long as the process answers."""
        return JSONResponse({"status": "ok"})

    async def answer_ready(self, request: Request) -> Response:
        """200 if every store answers, else 503. The body says which store fails, but not where it is."""
        answers = await asyncio.gather(*map(_is_available, self._pings.values()))
        states = {name: _state(available) for name, available in zip(self._pings, answers, strict=True)}
        is_ready = all(answers)
        return JSONResponse({"status": _state(is_ready), **states}, 200 if is_ready else 503)


async def _is_available(ping: Callable[[], Awaitable[None]]) -> bool:
    try:
        await ping()
    except Unavailable:
        return False
    return True


def _state(is_available: bool) -> str:
    return "ok" if is_available else "unavailable"
