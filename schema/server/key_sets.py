"""The public keys of an issuer that are known, and when they are read again."""

import asyncio
import logging
import time
from collections.abc import Callable

from jwt import PyJWK

from schema.server.issuer_settings import IssuerSettings
from schema.server.jwks import Keys, KeysUnavailable, read_keys
from stores.contracts.errors import Unavailable

log = logging.getLogger(__name__)
MAX_AGE_S = 600.0  # how long a key is accepted that the issuer has withdrawn
MIN_INTERVAL_S = 60.0  # between two readings, however many tokens name unknown keys


class KeySet:
    """The keys of one issuer. The gateway starts and serves without the issuer."""

    def __init__(self, settings: IssuerSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings, self._clock = settings, clock
        self._keys: Keys = {}
        self._read_at: float | None = None  # the last attempt
        self._has_failed = False
        self._reading = asyncio.Lock()

    async def find(self, key_id: str | None, algorithm: str) -> PyJWK | None:
        """A key, which is looked for at the issuer if it is not known.

        Raises `Unavailable` if it is not known and the issuer did not answer.
        """
        if (key_id, algorithm) not in self._keys:
            await self.refresh()
        key = self._keys.get((key_id, algorithm))
        if key is None and self._has_failed:
            raise Unavailable("Tokens of this issuer cannot be checked now.")
        return key

    async def refresh(self) -> None:
        """Read the keys, unless that was tried a short time ago. A failure keeps the keys that are known."""
        async with self._reading:  # one reads for all
            if self._read_at is not None and self._clock() - self._read_at < MIN_INTERVAL_S:
                return
            self._read_at = self._clock()
            self._has_failed = True  # until it succeeds, also if it is cancelled
            try:
                self._keys = await read_keys(self.settings)
                self._has_failed = False
            except KeysUnavailable as error:
                log.warning("the keys of the issuer %s cannot be read: %s", self.settings.issuer, error)

    async def keep_fresh(self) -> None:
        """Read the keys at the start and then from time to time."""
        while True:
            await self.refresh()
            await asyncio.sleep(MAX_AGE_S)
