"""The check of the stores when the gateway starts."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from schema.server.settings import Settings
from schema.server.state import AppState
from schema.server.store_names import name_documents, name_series
from schema.server.store_settings import SeriesSettings
from stores.contracts.errors import Unavailable

log = logging.getLogger(__name__)


async def report_unreachable_stores(state: AppState, settings: Settings) -> None:
    """Log an error for each store that does not answer. The gateway serves anyway and finds it later."""
    report_shared_series(settings.series)
    await asyncio.gather(
        _check("document store", name_documents(settings), state.documents.ping),
        _check("time-series store", name_series(settings), state.series.store.ping),
    )


def report_shared_series(settings: SeriesSettings) -> None:
    """Warn if organizations share a server's database although nobody has chosen that."""
    if not (settings.is_embedded or settings.shared or settings.organization_tag):
        log.warning(
            "organizations%s share the time-series database %s and are distinguished by machine id alone: a"
            " machine id that two of them have is answered with CONFLICT. Choose series.databases,"
            " series.organization_tag or series.shared",
            " without an entry in series.databases" if settings.databases else "",
            settings.database,
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
