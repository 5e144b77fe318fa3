"""From a URL to an open store. The only module that knows the backends; drivers are imported when needed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from stores.contracts.document_store import DocumentStore
from stores.contracts.errors import BadUserInput
from stores.contracts.files import FileStore
from stores.contracts.points import PointWriter
from stores.contracts.series import SeriesStore
from stores.entities.cipher import KEY_ADVICE, PREFIX, SecretCipher, add_key, read_keys
from stores.wrappers.deadline import Deadline
from stores.wrappers.documents import WrappedDocumentStore
from stores.wrappers.series import WrappedSeriesStore, WrappedWritableSeriesStore

if TYPE_CHECKING:
    from stores.backends.sqlite.connection import FileFormat

Driver = Literal["pymongo", "motor"]


def open_documents(
    url: str | None,
    *,
    data: Path,
    driver: Driver = "pymongo",
    deadline: float = 5.0,
    pool: int = 50,
) -> DocumentStore:
    """Open the document store of a URL; None is the embedded one, in `data`. This waits for no server.

    Raises `BadUserInput` for a URL of another kind, and `Unavailable` if an embedded store's file is missing,
    damaged or of another program or a newer version.
    """
    if url is None or url.startswith("sqlite:///"):
        from stores.backends.sqlite import folder, rows
        from stores.backends.sqlite.documents import SqliteDocumentStore

        path = _prepare_file(url, data, folder.DOCUMENTS, rows.FORMAT)
        return _bound(SqliteDocumentStore(path), deadline)
    if url.startswith(("mongodb://", "mongodb+srv://")):
        from stores.backends.mongo.documents import MongoDocumentStore

        store = MongoDocumentStore(url, driver=driver, deadline=deadline, pool=pool)
        return _bound(store, deadline)
    raise BadUserInput("the URL of a document store is mongodb://..., mongodb+srv://... or sqlite:///FILE")


def _prepare_file(url: str | None, data: Path, name: str, file_format: "FileFormat") -> Path:
    """The path of an embedded store's file, which is checked, or made if there was none."""
    from stores.backends.sqlite.folder import DataFolder, prepare_file

    if url is None:
        return DataFolder(data).prepare_database(name, file_format)
    path = Path(url.removeprefix("sqlite:///"))
    prepare_file(path, file_format, create=True)
    return path


def _bound(store: DocumentStore, deadline: float) -> DocumentStore:
    return WrappedDocumentStore(store, Deadline("document store", deadline))


def open_series(
    url: str | None, *, data: Path, deadline: float = 5.0, token: str | None = None, org: str = ""
) -> SeriesStore:
    """Open the time-series store of a URL; None is the embedded one, in `data`. This waits for no server.

    A server is given the `token` and, if it is InfluxDB 2, the `org`. Raises as `open_documents` does.
    """
    if url is None or url.startswith("sqlite:///"):
        from stores.backends.sqlite import folder, series_schema
        from stores.backends.sqlite.series import SqliteSeriesStore

        path = _prepare_file(url, data, folder.SERIES, series_schema.FORMAT)
        store = SqliteSeriesStore(path)
        return WrappedWritableSeriesStore(store, Deadline("time-series store", deadline))
    if url.startswith(("http://", "https://")):
        from stores.backends.influx.influx3 import Influx3SeriesStore

        return _bound_series(Influx3SeriesStore(url, token), deadline)
    if url.startswith(("influxdb2+http://", "influxdb2+https://")):
        from stores.backends.influx.influx2 import Influx2SeriesStore

        return _bound_series(Influx2SeriesStore(url.removeprefix("influxdb2+"), token, org), deadline)
    raise BadUserInput(
        "the URL of a time-series store is http(s)://HOST (InfluxDB 3), influxdb2+http(s)://HOST (InfluxDB 2)"
        " or sqlite:///FILE"
    )


def open_point_writer(url: str, *, token: str | None = None, org: str = "") -> PointWriter:
    """The write API of the time-series server at a URL. Opening waits for no server."""
    from stores.backends.influx.point_writer import InfluxPointWriter

    if url.startswith("influxdb2+"):
        return InfluxPointWriter.of_influxdb2(url.removeprefix("influxdb2+"), token, org)
    return InfluxPointWriter.of_influxdb3(url, token)


def _bound_series(store: SeriesStore, deadline: float) -> SeriesStore:
    return WrappedSeriesStore(store, Deadline("time-series store", deadline))


def open_icon_files(folder: Path) -> FileStore:
    """The file store of icons in `folder`. Names that it lacks are read from the icons that are shipped.

    Raises `Unavailable` if the folder cannot be read.
    """
    from stores.backends.files.folders import STARTER_ICONS, FolderFileStore

    return FolderFileStore(folder, STARTER_ICONS)


def open_cipher(keys: Sequence[str], key_file: Path | None, *, data: Path, embedded: bool) -> SecretCipher:
    """The cipher with `keys` and those of `key_file`.

    With `embedded` documents and no other keys, they are in a file in `data`, made for a new folder.
    Raises `BadUserInput`, also if the keys are not those that the folder's secrets were encrypted with.
    """
    from stores.backends.sqlite.folder import KEYS, DataFolder

    folder = DataFolder(data)
    if key_file is None and not keys and embedded:
        key_file = data / KEYS
        if not key_file.exists():
            add_folder_key(data)
        folder.record(KEYS)
    cipher = SecretCipher([*keys, *(read_keys(key_file) if key_file else ())])
    if embedded and cipher.has_keys:
        checks, known = cipher.key_checks(), folder.key_checks()
        if known and not set(checks) & set(known):
            raise BadUserInput(
                f"{key_file or 'secrets.keys'} does not have the key that secrets in {data} were encrypted"
                f" with. {KEY_ADVICE}"
            )
        folder.record_key_checks(checks)
    return cipher


def add_folder_key(data: Path) -> list[str]:
    """Add a new key to the key file in `data`, and return all keys.

    Raises `BadUserInput` if there is no key file although secrets were encrypted with one.
    """
    from stores.backends.sqlite.folder import DOCUMENTS, KEYS, DataFolder

    folder, path = DataFolder(data), data / KEYS
    is_lost = folder.expects(KEYS) or folder.contains(DOCUMENTS, PREFIX.encode())
    if not path.exists() and is_lost and not folder.has_given_up_keys():
        raise BadUserInput(
            f"{path} is missing, and stored secrets were encrypted with its keys. {KEY_ADVICE}"
        )
    keys = add_key(path)
    folder.record(KEYS)
    return keys


def lock_folder(data: Path) -> Callable[[], None]:
    """Lock the folder of the embedded stores, until the returned function is called or the process ends.

    Raises `Unavailable` if another process has locked it.
    """
    from stores.backends.sqlite.folder import DataFolder

    return DataFolder(data).lock().release


def start_anew(data: Path) -> list[Path]:
    """Make `data` a folder that can be served with new, empty files in the place of lost or damaged ones.

    Nothing is deleted: returns the new paths of files that were put aside.
    """
    from stores.backends.sqlite import folder, rows, series_schema

    formats = {folder.DOCUMENTS: rows.FORMAT, folder.SERIES: series_schema.FORMAT}
    return folder.DataFolder(data).start_anew(formats)
