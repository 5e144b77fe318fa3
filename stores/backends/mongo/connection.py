"""How a MongoDB deployment is reached: the one client, its deadline, its errors in our own words."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal

from bson.errors import BSONError
from cachetools import LRUCache
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure, PyMongoError
from pymongo.uri_parser import parse_uri

from stores.contracts.documents import CODEC, Document
from stores.contracts.errors import BadUserInput, Conflict, Unavailable

log = logging.getLogger(__name__)
DUPLICATE = 11000
WRONG_SHAPE = (2, 28)  # an update of something that is no list or no object


class MongoConnection:
    """`deadline` in seconds bounds a call, `pool` the connections; the first call opens the first one."""

    def __init__(
        self,
        url: str,
        *,
        driver: Literal["pymongo", "motor"] = "pymongo",
        deadline: float = 5.0,
        pool: int = 50,
        listeners: Sequence[Any] = (),
    ) -> None:
        try:
            parsed = parse_uri(url) if url.startswith("mongodb://") else {}
        except (PyMongoError, ValueError):
            raise BadUserInput("the document store's URL is not valid") from None
        self.default = parsed.get("database") or _path_of(url) or "test"
        self._url, self._driver, self._deadline, self._pool = url, driver, deadline, pool
        self._listeners = list(listeners)  # of the driver's commands: what a call costs on the wire
        self._client: Any = None
        self._collections: LRUCache[tuple[str, str], Any] = LRUCache(1024)

    @property
    def client(self) -> Any:
        """The one client, made on first use: it belongs to the event loop that runs then."""
        if self._client is None:
            milliseconds = int(self._deadline * 1000)
            options: dict[str, Any] = {
                "maxPoolSize": self._pool,
                "serverSelectionTimeoutMS": milliseconds,
                "connectTimeoutMS": milliseconds,
                "socketTimeoutMS": milliseconds,
                "appname": "sync-gateway",
                "event_listeners": self._listeners,
            }
            if self._driver == "motor":
                from motor.motor_asyncio import AsyncIOMotorClient

                self._client = AsyncIOMotorClient(self._url, **options)
            else:
                from pymongo import AsyncMongoClient

                self._client = AsyncMongoClient(self._url, **options)
        return self._client

    async def close(self) -> None:
        if self._client is not None:
            closing = self._client.close()
            if closing is not None:  # PyMongo's is awaited, Motor's is not
                await closing
            self._client = None
            self._collections.clear()

    def collection(self, database: str, name: str) -> Any:
        """The driver's collection, kept: to make one for each command shows in the profile."""
        if (database, name) not in self._collections:
            opened = self.client.get_database(database, codec_options=CODEC)
            self._collections[database, name] = opened[name]
        return self._collections[database, name]

    async def aggregate(self, collection: Any, pipeline: list[Document]) -> list[Document]:
        cursor = collection.aggregate(pipeline)
        if self._driver == "pymongo":
            cursor = await cursor
        found: list[Document] = await cursor.to_list(None)
        return found

    @contextlib.asynccontextmanager
    async def asked(self) -> AsyncIterator[None]:
        """A call within the deadline, its errors told in the contract's words."""
        try:
            async with asyncio.timeout(self._deadline):
                yield
        except DuplicateKeyError as error:
            raise _conflict(error.details or {}) from None
        except BulkWriteError as error:
            first = (error.details.get("writeErrors") or [{}])[0]
            raise (_conflict(first) if first.get("code") == DUPLICATE else _unavailable(error)) from None
        except OperationFailure as error:
            if error.code in WRONG_SHAPE:
                raise Conflict("the stored document is not of the shape that the change needs") from None
            raise _unavailable(error) from None
        except (PyMongoError, TimeoutError, OSError) as error:
            raise _unavailable(error) from None
        except (BSONError, OverflowError):
            raise BadUserInput("the document cannot be stored") from None


def _unavailable(error: BaseException) -> Unavailable:
    log.warning("document store: %s (code %s)", type(error).__name__, getattr(error, "code", None))
    return Unavailable("the document store does not answer")


def _conflict(details: Mapping[str, Any]) -> Conflict:
    """Which key is taken: from the pattern of the index or, with servers that do not tell, its name."""
    pattern = list(details.get("keyPattern") or {})
    if not pattern:
        text = str(details.get("errmsg", ""))
        name = text.partition("index: ")[2].partition(" ")[0].removesuffix("_1")
        pattern = name.replace("_1_", " ").split() if name != "_id_" else ["_id"]
    field = pattern[-1] if pattern else "_id"
    return Conflict(f"{field} is taken", fields=[field])


def _path_of(url: str) -> str:
    return url.partition("://")[2].partition("/")[2].partition("?")[0]
