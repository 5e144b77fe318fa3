"""The connection to a MongoDB deployment: one client, a bounded number of commands at a time."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Literal

from bson.raw_bson import RawBSONDocument
from cachetools import LRUCache
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from stores.backends.mongo.failures import EXPECTED, translate
from stores.contracts.documents import CODEC, Document
from stores.contracts.errors import BadUserInput, Unavailable
from stores.contracts.outcomes import NOT_APPLIED, mark_failed, mark_sent
from stores.contracts.request_record import get_request_id

MAX_WAITING = 1000  # commands that wait for a connection: more are rejected at once
COMMENTS_WIRE_VERSION = 9  # MongoDB 4.4
RAW = CODEC.with_options(document_class=RawBSONDocument)


class MongoConnection:
    """`deadline` (seconds) bounds each step of the driver, `pool` the number of commands at a time.

    The first command opens the first connection. `listeners` are the driver's, and see each command.
    """

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
            raise BadUserInput("The document store's URL is not valid.") from None
        self.default = parsed.get("database") or _read_path_of(url) or "test"
        self.deadline_s = deadline
        self._url, self._driver, self._pool = url, driver, pool
        self._listeners = list(listeners)
        self._client: Any = None
        self._collections: LRUCache[tuple[str, str], Any] = LRUCache(1024)
        self._slots = asyncio.Semaphore(pool)
        self._waiting = 0
        self._takes_write_comments = False

    @property
    def client(self) -> Any:
        """The one client. The first use creates it, because it belongs to the event loop that runs then."""
        if self._client is None:
            # The driver gives up before the deadline does, so that it can say what became of a write.
            milliseconds = int(self.deadline_s * 900)
            options: dict[str, Any] = {
                "maxPoolSize": self._pool,
                "waitQueueTimeoutMS": milliseconds,
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
        """The driver's collection, cached: creating one for each command is a measurable cost."""
        if (database, name) not in self._collections:
            self._collections[database, name] = self.client.get_database(database, codec_options=CODEC)[name]
        return self._collections[database, name]

    async def aggregate(self, collection: Any, pipeline: list[Document]) -> list[Document]:
        cursor = collection.aggregate(pipeline, comment=get_request_id())
        if self._driver == "pymongo":
            cursor = await cursor
        documents: list[Document] = await cursor.to_list(None)
        return documents

    @property
    def write_comment(self) -> str | None:
        """The `comment` of a write: the id of the request, unless the server refuses it (before MongoDB 4.4).

        The server is known as soon as it has answered for the first time.
        """
        if not self._takes_write_comments:
            servers = self.client.topology_description.server_descriptions().values()
            versions = [server.max_wire_version for server in servers if server.is_server_type_known]
            self._takes_write_comments = bool(versions) and min(versions) >= COMMENTS_WIRE_VERSION
        return get_request_id() if self._takes_write_comments else None

    def command(self, *, is_write: bool = False) -> "Command":
        """The context of one command, or of several concurrent reads."""
        return Command(self, is_write)

    async def acquire_slot(self) -> None:
        if self._slots.locked():
            if self._waiting >= MAX_WAITING:
                message = f"The document store is overloaded: {MAX_WAITING} commands wait for it."
                raise Unavailable(message, reason="OVERLOADED", outcome=NOT_APPLIED)
            self._waiting += 1
            try:
                await self._slots.acquire()
            finally:
                self._waiting -= 1
        else:
            await self._slots.acquire()

    def release_slot(self) -> None:
        self._slots.release()


class Command:
    """Holds one of the connection's slots, translates errors, and reports that a write is sent."""

    __slots__ = ("_connection", "_is_write", "_sent_before")

    def __init__(self, connection: MongoConnection, is_write: bool) -> None:
        self._connection, self._is_write = connection, is_write

    async def __aenter__(self) -> None:
        await self._connection.acquire_slot()
        if self._is_write:
            self._sent_before = mark_sent()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.release_slot()
        if error is None:
            return
        failure = translate(error) if isinstance(error, EXPECTED) else error
        if self._is_write:
            mark_failed(failure, self._sent_before)
        if failure is not error:
            raise failure from None


def _read_path_of(url: str) -> str:
    return url.partition("://")[2].partition("/")[2].partition("?")[0]
