"""From a URL to an open store. The only module that knows the backends; drivers are imported when needed."""

from pathlib import Path
from typing import Literal

from stores.contracts.document_store import DocumentStore
from stores.contracts.errors import BadUserInput
from stores.contracts.files import FileStore
from stores.contracts.series import SeriesStore
from stores.wrappers.deadline import Deadline
from stores.wrappers.documents import WrappedDocumentStore
from stores.wrappers.series import WrappedSeriesStore, WrappedWritableSeriesStore

Driver = Literal["pymongo", "motor"]


def open_documents(
    url: str | None,
    *,
    data: Path,
    driver: Driver = "pymongo",
    deadline: float = 5.0,
    pool: int = 50,
) -> DocumentStore:
    """The document store of a URL; None is the embedded one, in `data`. Opening waits for no server.

    Raises `BadUserInput` for a URL of another kind.
    """
    if url is None or url.startswith("sqlite:///"):
        from stores.backends.sqlite.documents import SqliteDocumentStore

        path = data / "documents.db" if url is None else Path(url.removeprefix("sqlite:///"))
        return _bound(SqliteDocumentStore(path), deadline)
    if url.startswith(("mongodb://", "mongodb+srv://")):
        from stores.backends.mongo.documents import MongoDocumentStore

        store = MongoDocumentStore(url, driver=driver, deadline=deadline, pool=pool)
        return _bound(store, deadline)
    raise BadUserInput("a document store is named by mongodb://, mongodb+srv:// or sqlite:///FILE")


def _bound(store: DocumentStore, deadline: float) -> DocumentStore:
    return WrappedDocumentStore(store, Deadline("document store", deadline))


def open_series(
    url: str | None, *, data: Path, deadline: float = 5.0, token: str | None = None, org: str = ""
) -> SeriesStore:
    """The time-series store of a URL; None is the embedded one, in `data`. Opening waits for no server.

    `token` and, for InfluxDB 2, `org` are what a server asks for. Raises `BadUserInput` for a URL of another
    kind.
    """
    if url is None or url.startswith("sqlite:///"):
        from stores.backends.sqlite.series import SqliteSeriesStore

        path = data / "series.db" if url is None else Path(url.removeprefix("sqlite:///"))
        store = SqliteSeriesStore(path)
        return WrappedWritableSeriesStore(store, Deadline("time-series store", deadline))
    if url.startswith(("http://", "https://")):
        from stores.backends.influx.influx3 import Influx3SeriesStore

        return _bound_series(Influx3SeriesStore(url, token), deadline)
    if url.startswith(("influxdb2+http://", "influxdb2+https://")):
        from stores.backends.influx.influx2 import Influx2SeriesStore

        return _bound_series(Influx2SeriesStore(url.removeprefix("influxdb2+"), token, org), deadline)
    raise BadUserInput(
        "a time-series store is named by http(s)://HOST (InfluxDB 3), influxdb2+http(s)://HOST (InfluxDB 2)"
        " or sqlite:///FILE"
    )


def _bound_series(store: SeriesStore, deadline: float) -> SeriesStore:
    return WrappedSeriesStore(store, Deadline("time-series store", deadline))


def open_icon_files(folder: Path) -> FileStore:
    """The file store of icons in `folder`. Names that it lacks are read from the icons that are shipped.

    Raises `Unavailable` if the folder cannot be read.
    """
    from stores.backends.files.folders import STARTER_ICONS, FolderFileStore

    return FolderFileStore(folder, STARTER_ICONS)
