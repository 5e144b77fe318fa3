"""Secrets inside documents: which values are some, how they are masked, and how they are sealed at rest."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from stores.contracts.errors import BadUserInput

MASK = "********"
SEAL = "sealed:"
SECRET = re.compile(
    "password|passwd|secret|token|api[_-]?key|access_key|private_key|credential", re.IGNORECASE
)


def _mapped(value: Any, of: Callable[[str], str], secret: bool = False) -> Any:
    """A copy with `of` applied to every text under a key that names a secret; empty ones stay empty."""
    match value:
        case dict():
            return {k: _mapped(v, of, secret or bool(SECRET.search(k))) for k, v in value.items()}
        case list():
            return [_mapped(item, of, secret) for item in value]
        case str() if secret and value:
            return of(value)
    return value


def masked(value: Any) -> Any:
    """A copy in which every secret is a mask."""
    return _mapped(value, lambda _: MASK)


def unmasked(value: Any, stored: Any) -> Any:
    """A copy in which a mask stands for what is stored in its place."""
    match value:
        case dict():
            kept = stored if isinstance(stored, dict) else {}
            return {k: unmasked(v, kept.get(k)) for k, v in value.items()}
        case list():
            items = stored if isinstance(stored, list) else []
            return [unmasked(v, items[i] if i < len(items) else None) for i, v in enumerate(value)]
        case str() if value == MASK and isinstance(stored, str):
            return stored
    return value


class Sealer:
    """Encrypts secrets at rest with the first of `keys` (Fernet's); all decrypt. Without keys all is plain.

    A sealed text is `sealed:` and a Fernet token. Raises `BadUserInput` for what is no key.
    """

    def __init__(self, keys: Sequence[str] = ()) -> None:
        try:
            fernets = [Fernet(key) for key in keys]
        except ValueError:
            raise BadUserInput(
                "a key is 32 bytes in URL-safe Base64, as `sync-gateway new-key` makes"
            ) from None
        self._newest = fernets[0] if fernets else None
        self._any = MultiFernet(fernets) if fernets else None

    @property
    def has_keys(self) -> bool:
        return self._newest is not None

    def seal(self, value: Any) -> Any:
        """A copy whose secrets are sealed; masks stay masks."""
        return _mapped(value, lambda text: text if text == MASK else self._seal(text))

    def reseal(self, value: Any) -> Any:
        """A copy of stored secrets, plain or sealed, that the first key opens; it is equal if they were.

        What no key opens stays as it is.
        """
        return _mapped(value, self._reseal)

    def open(self, value: Any) -> Any:
        """A copy whose secrets are plain; those that no key opens stay as they are."""
        return _mapped(value, lambda text: text if (found := _opened(self._any, text)) is None else found)

    def has_unopened(self, value: Any) -> bool:
        """Whether a sealed secret is in it that no key opens."""
        found: list[str] = []
        _mapped(value, lambda text: found.append(text) or text)  # type: ignore[func-returns-value]
        return any(text.startswith(SEAL) and _opened(self._any, text) is None for text in found)

    def _seal(self, text: str) -> str:
        return text if self._newest is None else SEAL + self._newest.encrypt(text.encode()).decode()

    def _reseal(self, text: str) -> str:
        if not text.startswith(SEAL):
            return self._seal(text)
        plain = _opened(self._any, text)
        return text if plain is None or _opened(self._newest, text) is not None else self._seal(plain)


def _opened(fernet: Fernet | MultiFernet | None, text: str) -> str | None:
    if fernet is None or not text.startswith(SEAL):
        return None
    try:
        return fernet.decrypt(text.removeprefix(SEAL)).decode()
    except InvalidToken:
        return None


def read_keys(path: Path) -> list[str]:
    """The keys of a file, one a line, the newest first. Raises `BadUserInput` where others may read it."""
    if path.stat().st_mode & 0o077:
        raise BadUserInput(f"{path}: others may read the keys; make the file its owner's alone (chmod 600)")
    return path.read_text(encoding="ascii").split()


def add_key(path: Path) -> list[str]:
    """Put a fresh key in front of a file's and answer all; the file is made if need be, its owner's alone."""
    keys = [Fernet.generate_key().decode(), *(read_keys(path) if path.exists() else ())]
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write("\n".join(keys) + "\n")
        file.flush()
        os.fsync(file.fileno())
    if len(keys) > 1:
        fresh.replace(path)
    else:  # not in the place of a key that somebody else has made meanwhile
        try:
            os.link(fresh, path)
        finally:
            fresh.unlink()
    return keys
