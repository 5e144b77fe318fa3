"""The background task that deletes old points from the embedded time-series store."""

import asyncio
import logging
import time

from resolvers.limits import DAY
from stores.contracts.errors import Unavailable
from stores.contracts.series import WritableSeriesStore

log = logging.getLogger(__name__)
INTERVAL_S = 3600


async def delete_old_points(store: WritableSeriesStore, retention_days: int, rollup_days: int | None) -> None:
    """Delete points older than `retention_days` now and every hour, until the task is cancelled.

    Their rollups stay for `rollup_days`, or always if that is None.
    """
    while True:
        try:
            now = time.time_ns()
            rollup_cutoff = None if rollup_days is None else now - rollup_days * DAY
            deleted = await store.retain(now - retention_days * DAY, rollup_cutoff)
            log.info("deleted %d points older than %d days", deleted, retention_days)
        except Unavailable as error:
            log.warning("old points were not deleted, trying again in an hour: %s", error.message)
        await asyncio.sleep(INTERVAL_S)
