"""Work on the folder of the embedded stores as a whole: its lock, its keys, backups and checks."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from stores.backends.sqlite import backup, rows, series_schema
from stores.backends.sqlite.backup import Databases
from stores.backends.sqlite.checking import find_damage, find_unassigned_machines
from stores.backends.sqlite.folder import DOCUMENTS, KEYS, SERIES, DataFolder
from stores.contracts.errors import BadUserInput, Unavailable
from stores.entities.cipher import KEY_ADVICE, SecretCipher, add_key, create_key_file, read_keys
from stores.entities.secrets import ENCRYPTED, SecretRules

Progress = Callable[[str, int, int], None]  # what is done, how much of it, of how much
FORMATS = {DOCUMENTS: rows.FORMAT, SERIES: series_schema.FORMAT}


def lock_folder(data: Path) -> Callable[[], None]:
    """Lock the folder for a server, until the returned function is called or the process ends.

    Raises `Unavailable` if another process has locked it.
    """
    return DataFolder(data).lock().release


def has_had_api_keys(data: Path) -> bool:
    """Whether API keys were created for the gateway of this folder, even if their store is lost.

    Raises `Unavailable` if the list of the folder's files is damaged.
    """
    return DataFolder(data).has_had_api_keys()


def record_api_keys(data: Path) -> None:
    """Remember in the folder that API keys were created, so that the loss of their store opens nothing."""
    DataFolder(data).record_api_keys()


def start_anew(data: Path, documents_url: str | None, series_url: str | None) -> list[Path]:
    """Let a server start with new, empty files in place of lost or damaged ones of the embedded stores.

    Nothing is deleted: returns the new paths of files that were put aside.
    """
    return DataFolder(data).start_anew(dict(_find_databases(data, documents_url, series_url).values()))


def open_cipher(
    keys: Sequence[str],
    key_file: Path | None,
    *,
    data: Path,
    embedded: bool,
    paths: Sequence[str] = (),
    plain_text: bool = False,
) -> SecretCipher:
    """The cipher with `keys` and those of `key_file`. Without either, they are in a file in `data`.

    The file is made for a new folder. `paths` are secrets beside those with well-known names. With
    `plain_text`, secrets are stored as they are. Raises `BadUserInput`, also if the keys are not those that
    the secrets of the `embedded` documents were encrypted with.
    """
    folder = DataFolder(data)
    if key_file is None and not keys and not plain_text:
        key_file = data / KEYS
        if not key_file.exists():
            _check_keys_are_not_lost(folder)
            create_key_file(key_file)
        folder.record(KEYS)
    all_keys = [*keys, *(read_keys(key_file) if key_file else ())]
    cipher = SecretCipher(all_keys, SecretRules(paths), plain_text=plain_text)
    if embedded and cipher.has_keys:
        checks, known = cipher.list_key_checks(), folder.list_key_checks()
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
    folder = DataFolder(data)
    _check_keys_are_not_lost(folder)
    keys = add_key(data / KEYS)
    folder.record(KEYS)
    return keys


def _check_keys_are_not_lost(folder: DataFolder) -> None:
    path = folder.path / KEYS
    is_lost = folder.expects(KEYS) or folder.contains(DOCUMENTS, ENCRYPTED.encode())
    if not path.exists() and is_lost and not folder.has_given_up_keys():
        raise BadUserInput(
            f"{path} is missing, and stored secrets were encrypted with its keys. {KEY_ADVICE}"
        )


def make_backup(
    data: Path, documents_url: str | None, series_url: str | None, target: Path, progress: Progress
) -> list[str]:
    """Copy the embedded stores of the URLs, the keys and the icons to the new folder `target`.

    Each database is copied as it is at one moment, also while a server uses it. Returns the names of the
    files. Raises `BadUserInput`, `Unavailable` and `OSError`, and leaves nothing then.
    """
    return backup.make_backup(data, _find_databases(data, documents_url, series_url), target, progress)


def restore(
    data: Path, documents_url: str | None, series_url: str | None, source: Path, progress: Progress
) -> list[Path]:
    """Put the backup `source` in place of what there is. Returns the new paths of the old files.

    If there were API keys, the folder remembers it, though the backup may be older than the first of them.
    Raises `BadUserInput` if it is not a whole backup, `Unavailable` while a server runs, and `OSError`.
    """
    unlock = lock_folder(data)
    try:
        had_keys = _may_have_had_api_keys(data)
        moved = backup.restore(data, _find_databases(data, documents_url, series_url), source, progress)
        if had_keys:
            record_api_keys(data)
        return moved
    finally:
        unlock()


def _may_have_had_api_keys(data: Path) -> bool:
    try:
        return has_had_api_keys(data)
    except Unavailable:  # a damaged list does not say it, and a restored one may be too old to know
        return True


def check(data: Path, documents_url: str | None, series_url: str | None, progress: Progress) -> Iterator[str]:
    """Yield a line for each fault of the embedded stores of the URLs."""
    folder = DataFolder(data)
    for name, (path, file_format) in _find_databases(data, documents_url, series_url).items():
        if path.exists() or folder.expects(name):
            yield from find_damage(path, file_format, partial(progress, f"checking {name}"))


def find_unassigned(data: Path, series_url: str | None, database: str) -> tuple[list[str], int]:
    """The machines with points in the `database` of no organization, and how many of them are to be settled.

    The next start of a server settles those of an earlier version. The file must not be damaged.
    """
    path, file_format = _find_databases(data, "", series_url).get(SERIES, (None, None))
    if path is None or file_format is None or not path.exists():
        return [], 0
    return find_unassigned_machines(path, file_format, database)


def _find_databases(data: Path, documents_url: str | None, series_url: str | None) -> Databases:
    """The files of the stores that are embedded, by their names in a backup."""
    urls = {DOCUMENTS: documents_url, SERIES: series_url}
    return {
        name: (data / name if url is None else Path(url.removeprefix("sqlite:///")), FORMATS[name])
        for name, url in urls.items()
        if url is None or url.startswith("sqlite:///")
    }
