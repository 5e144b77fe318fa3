"""The check of the stores when the gateway starts."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from schema.server.settings import Settings
from schema.server.state import AppState
from schema.server.store_names import name_documents, name_series
from stores.contracts.errors import Unavailable

log = logging.getLogger(__name__)


async def report_unreachable_stores(state: AppState, settings: Settings) -> None:
    """Log an error for each store that does not answer. The gateway serves anyway and finds it later."""
    await asyncio.gather(
        _check("document store", name_documents(settings), state.documents.ping),
        _check("time-series store", name_series(settings), state.series.store.ping),
    )


async def _check(kind: str, name: str, ping: Callable[[], Awaitable[None]]) -> None:
    try:
        await ping()
    except Unavailable as error:
        log.error(
            "the %s is unreachable: %s (%s); what needs it is answered UNAVAILABLE until it can be reached",
            kind,
            name,
            error.message,
        )
