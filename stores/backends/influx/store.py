"""What the stores on both versions of InfluxDB share: a client, and the catalogues of its databases."""

from abc import abstractmethod
from typing import Protocol

from stores.backends.influx.catalogues import CatalogueCache, DatabaseCatalogue
from stores.contracts.series import SeriesStore


class InfluxClient(Protocol):
    """A client of a server."""

    async def ping(self) -> None: ...

    async def close(self) -> None: ...


class InfluxSeriesStore(SeriesStore):
    """A server. Its calls have no time limit: they stop when they are cancelled."""

    def __init__(self, client: InfluxClient) -> None:
        self._server = client
        self.catalogues = CatalogueCache(self._read_catalogue)

    @abstractmethod
    async def _read_catalogue(self, database: str) -> DatabaseCatalogue: ...

    async def ping(self) -> None:
        await self._server.ping()

    def get_cache_sizes(self) -> dict[str, int]:
        return {"catalogue": len(self.catalogues)}

    async def close(self) -> None:
        await self._server.close()
