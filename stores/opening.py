"""From a URL to an open store. The only module that knows the backends; drivers are imported when needed."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from stores.contracts.buckets import Buckets
from stores.contracts.document_store import DocumentStore
from stores.contracts.errors import BadUserInput
from stores.contracts.files import FileStore
from stores.contracts.points import PointWriter
from stores.contracts.series import SeriesStore
from stores.wrappers.breaker import CircuitBreaker
from stores.wrappers.deadline import Deadline
from stores.wrappers.documents import WrappedDocumentStore
from stores.wrappers.interception import Chain, Interceptor
from stores.wrappers.local_buckets import BucketsWithFallback
from stores.wrappers.long_reads import LongReadQueue
from stores.wrappers.series import WrappedSeriesStore, WrappedWritableSeriesStore

if TYPE_CHECKING:
    from stores.backends.sqlite.connection import FileFormat

Driver = Literal["pymongo", "motor"]


def open_documents(
    url: str | None,
    *,
    data: Path | None,
    driver: Driver = "pymongo",
    deadline: float = 5.0,
    pool: int = 50,
) -> DocumentStore:
    """Open the document store of a URL; None is the embedded one, in `data`. This waits for no server.

    The folder `data` remembers the files of embedded stores, so that a lost one is not replaced by an empty
    one; None remembers nothing.

    Raises `BadUserInput` for a URL of another kind, and `Unavailable` if an embedded store's file is missing,
    damaged or of another program or a newer version.
    """
    if url is None or url.startswith("sqlite:///"):
        from stores.backends.sqlite import folder, rows
        from stores.backends.sqlite.documents import SqliteDocumentStore

        path = _prepare_file(url, data, folder.DOCUMENTS, rows.FORMAT)
        return WrappedDocumentStore(SqliteDocumentStore(path), Deadline("document store", deadline))
    if url.startswith(("mongodb://", "mongodb+srv://")):
        from stores.backends.mongo.documents import MongoDocumentStore

        store = MongoDocumentStore(url, driver=driver, deadline=deadline, pool=pool)
        return WrappedDocumentStore(store, _guard_server("document store", deadline))
    raise BadUserInput("The URL of a document store is mongodb://..., mongodb+srv://... or sqlite:///FILE.")


def _prepare_file(url: str | None, data: Path | None, name: str, file_format: "FileFormat") -> Path:
    """The path of an embedded store's file, which is checked, or made if there was none."""
    from stores.backends.sqlite.folder import DataFolder, prepare_file

    path = Path(url.removeprefix("sqlite:///")) if url else Path(name)
    if data is not None:
        return DataFolder(data).prepare_database(str(path.absolute()) if url else name, file_format)
    prepare_file(path, file_format, create=True)
    return path


def _guard_server(name: str, deadline: float) -> Interceptor:
    """Return what each call to a server passes through. An embedded store has no outages, only a deadline."""
    return Chain(CircuitBreaker(name), Deadline(name, deadline))


def open_series(
    url: str | None, *, data: Path | None, deadline: float = 5.0, token: str | None = None, org: str = ""
) -> SeriesStore:
    """Open the time-series store of a URL; None is the embedded one, in `data`. This waits for no server.

    A server is given the `token` and, if it is InfluxDB 2, the `org`. Raises as `open_documents` does.
    """
    if url is None or url.startswith("sqlite:///"):
        from stores.backends.sqlite import folder, series_schema
        from stores.backends.sqlite.series import READERS, SqliteSeriesStore

        path = _prepare_file(url, data, folder.SERIES, series_schema.FORMAT)
        store = SqliteSeriesStore(path)
        long_reads = LongReadQueue(READERS // 2)
        return WrappedWritableSeriesStore(store, Chain(long_reads, Deadline("time-series store", deadline)))
    if url.startswith(("http://", "https://")):
        from stores.backends.influx.influx3 import Influx3SeriesStore

        influxdb3 = Influx3SeriesStore(url, token)
        return WrappedSeriesStore(influxdb3, _guard_server("time-series store", deadline))
    if url.startswith(("influxdb2+http://", "influxdb2+https://")):
        from stores.backends.influx.influx2 import Influx2SeriesStore

        influxdb2 = Influx2SeriesStore(url.removeprefix("influxdb2+"), token, org)
        return WrappedSeriesStore(influxdb2, _guard_server("time-series store", deadline))
    raise BadUserInput(
        "The URL of a time-series store is http(s)://HOST (InfluxDB 3), influxdb2+http(s)://HOST (InfluxDB 2)"
        " or sqlite:///FILE."
    )


def open_point_writer(url: str, *, token: str | None = None, org: str = "") -> PointWriter:
    """The write API of the time-series server at a URL. Opening waits for no server."""
    from stores.backends.influx.point_writer import InfluxPointWriter

    if url.startswith("influxdb2+"):
        return InfluxPointWriter.for_influxdb2(url.removeprefix("influxdb2+"), token, org)
    return InfluxPointWriter.for_influxdb3(url, token)


def open_buckets(url: str | None) -> Buckets:
    """The buckets of this process or, with the URL of a Redis server, of all that use the server."""
    from stores.backends.buckets.memory import MemoryBuckets

    if url is None:
        return MemoryBuckets()
    from stores.backends.buckets.redis import RedisBuckets

    return BucketsWithFallback(RedisBuckets(url), MemoryBuckets())


def open_icon_files(folder: Path) -> FileStore:
    """The file store of icons in `folder`. Names that it lacks are read from the icons that are shipped.

    Raises `Unavailable` if the folder cannot be read.
    """
    from stores.backends.files.folders import STARTER_ICONS, FolderFileStore

    return FolderFileStore(folder, STARTER_ICONS)
