"""Encryption of secrets at rest, and the key file."""

import hmac
import os
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from stores.contracts.documents import Document
from stores.contracts.errors import BadUserInput
from stores.entities.secrets import ENCRYPTED, MASK, SecretRules

KEY_ADVICE = (
    "Restore it from a backup; to go on with a new key and enter the secrets again, use `serve --new-data`."
)


class SecretCipher:
    """Encrypts the secrets of documents with the first of `keys` (Fernet keys) and decrypts with any of them.

    An encrypted secret is the string `sealed:` followed by a Fernet token. `rules` say which values are
    secrets. The constructor raises `BadUserInput` for a string that is not a key, and if there is none. Only
    `plain_text` stores secrets as they are; keys then serve to decrypt what was encrypted before.
    """

    def __init__(
        self, keys: Sequence[str], rules: SecretRules | None = None, *, plain_text: bool = False
    ) -> None:
        if not keys and not plain_text:
            raise BadUserInput("There is no key to encrypt secrets with: run `sync-gateway new-key`.")
        try:
            fernets = [Fernet(key) for key in keys]
        except ValueError:
            raise BadUserInput(
                "A key is 32 bytes in URL-safe Base64, as `sync-gateway new-key` makes."
            ) from None
        self.rules = rules if rules is not None else SecretRules()
        self._read_newest = None if plain_text else fernets[0]
        self._any = MultiFernet(fernets) if fernets else None
        # Without keys, what is derived is valid only in this process.
        self._roots = [key.encode() for key in keys] or [secrets.token_bytes(32)]
        self._derived: dict[str, tuple[bytes, ...]] = {}

    @classmethod
    def store_plain_text(cls) -> "SecretCipher":
        """A cipher without keys, for stores whose secrets other programs read."""
        return cls((), plain_text=True)

    @property
    def has_keys(self) -> bool:
        return self._read_newest is not None

    def derive_keys(self, purpose: str) -> tuple[bytes, ...]:
        """Keys of 32 bytes for another purpose than encryption, one for each key, in their order.

        Without keys it is one random key of this process.
        """
        if purpose not in self._derived:
            message = purpose.encode()
            self._derived[purpose] = tuple(hmac.digest(root, message, "sha256") for root in self._roots)
        return self._derived[purpose]

    def list_key_checks(self) -> list[str]:
        """A value for each key that tells keys apart and says nothing about them."""
        return [key[:8].hex() for key in self.derive_keys("key check")]

    def encrypt(self, document: Document) -> Document:
        """A copy of a document in which every secret is encrypted; masks stay masks."""
        return self.rules.convert(document, lambda text: text if text == MASK else self._encrypt(text))

    def rotate(self, document: Document) -> Document:
        """A copy of a document in which every secret is encrypted with the first key.

        The copy is equal to the document if that was so already. A secret that no key decrypts stays
        unchanged.
        """
        return self.rules.convert(document, self._rotate)

    def decrypt(self, document: Document) -> Document:
        """A copy of a document in plain text; a secret that no key decrypts stays unchanged."""
        return self.rules.convert(document, self._decrypt)

    def has_undecryptable(self, document: Document) -> bool:
        """Whether a document contains an encrypted secret that no key decrypts."""
        strings: list[str] = []

        def collect(text: str) -> str:
            strings.append(text)
            return text

        self.rules.convert(document, collect)
        return any(text.startswith(ENCRYPTED) and _decrypt(self._any, text) is None for text in strings)

    def _decrypt(self, text: str) -> str:
        plain = _decrypt(self._any, text)
        return text if plain is None else plain

    def _encrypt(self, text: str) -> str:
        return (
            text
            if self._read_newest is None
            else ENCRYPTED + self._read_newest.encrypt(text.encode()).decode()
        )

    def _rotate(self, text: str) -> str:
        if not text.startswith(ENCRYPTED):
            return self._encrypt(text)
        plain = _decrypt(self._any, text)
        return (
            text if plain is None or _decrypt(self._read_newest, text) is not None else self._encrypt(plain)
        )


def _decrypt(fernet: Fernet | MultiFernet | None, text: str) -> str | None:
    if fernet is None or not text.startswith(ENCRYPTED):
        return None
    try:
        return fernet.decrypt(text.removeprefix(ENCRYPTED)).decode()
    except InvalidToken:
        return None


def read_keys(path: Path) -> list[str]:
    """The keys of a file, one on each line, the newest first.

    Raises `BadUserInput` if users other than the owner may read the file, or if there is no key in it.
    """
    if path.stat().st_mode & 0o077:
        raise BadUserInput(f"{path}: other users may read the keys; restrict it to its owner (chmod 600).")
    try:
        keys = path.read_text(encoding="ascii").split()
    except UnicodeDecodeError:
        raise BadUserInput(f"{path} is damaged: it is not a list of keys. {KEY_ADVICE}") from None
    if not keys:
        raise BadUserInput(f"{path} is empty: secrets would be stored in plain text. {KEY_ADVICE}")
    try:
        MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        raise BadUserInput(f"{path} is damaged: it is not a list of keys. {KEY_ADVICE}") from None
    return keys


def create_key_file(path: Path) -> None:
    """Create a file with one key, which only its owner may read. One of another process stays."""
    with _write_temporarily([Fernet.generate_key().decode()], path) as temporary, suppress(FileExistsError):
        os.link(temporary, path)


def add_key(path: Path) -> list[str]:
    """Add a new key in front of the keys of a file, or create the file, and return all keys."""
    if not path.exists():
        create_key_file(path)
        return read_keys(path)
    keys = [Fernet.generate_key().decode(), *read_keys(path)]
    with _write_temporarily(keys, path) as temporary:
        temporary.replace(path)
    return keys


@contextmanager
def _write_temporarily(keys: Sequence[str], path: Path) -> Iterator[Path]:
    """A complete file of keys beside `path`, which is deleted if it is still there afterwards."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write("\n".join(keys) + "\n")
            file.flush()
            os.fsync(file.fileno())
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
