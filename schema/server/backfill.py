"""The background task that derives rollups and changes of the points that earlier versions have written."""

import asyncio
import logging
import time

from stores.contracts.errors import Unavailable
from stores.contracts.series import WritableSeriesStore

log = logging.getLogger(__name__)
RETRY_S = 5.0
PAUSE_S = 0.01  # between two pieces, for writers
LOG_INTERVAL_S = 10.0


async def backfill_earlier_points(store: WritableSeriesStore) -> None:
    """Derive what is missing, a piece at a time, and log how far it is. Queries are right meanwhile."""
    logged: float | None = None
    while True:
        try:
            done, total = await store.backfill()
        except Unavailable as error:
            log.warning("rollups of earlier points are not complete yet: %s", error.message)
            await asyncio.sleep(RETRY_S)
            continue
        if done == total:
            if logged is not None:
                log.info("rollups of earlier points: all %d series are done", total)
            return
        if logged is None or time.monotonic() - logged >= LOG_INTERVAL_S:
            logged = time.monotonic()
            log.info("rollups of earlier points: %d of %d series are done", done, total)
        await asyncio.sleep(PAUSE_S)
