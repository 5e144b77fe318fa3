"""The text of API keys: `swk_<id>_<secret><checksum>`. A double click selects it, scanners recognize it."""

import hashlib
import re
import secrets
import string
import zlib
from typing import NamedTuple

KEY_PREFIX = "swk_"
DIGITS = string.digits + string.ascii_letters  # base 62
ID_LENGTH, SECRET_LENGTH, CHECKSUM_LENGTH = 12, 43, 6  # 43 digits hold 256 bits
_DIGIT = "[0-9A-Za-z]"
_KEY = re.compile(
    rf"{KEY_PREFIX}({_DIGIT}{{{ID_LENGTH}}})_({_DIGIT}{{{SECRET_LENGTH}}})({_DIGIT}{{{CHECKSUM_LENGTH}}})"
)


class KeyText(NamedTuple):
    """A key: its text, which is shown once, its id, and the SHA-256 of its secret in hex."""

    text: str
    key_id: str
    secret_sha256: str


def generate_key() -> KeyText:
    """A new key with a secret of 256 random bits, which need no slow hash."""
    key_id = _encode(secrets.randbits(71), ID_LENGTH)
    secret = _encode(secrets.randbits(256), SECRET_LENGTH)
    body = f"{KEY_PREFIX}{key_id}_{secret}"
    return KeyText(body + _make_checksum(body), key_id, _hash(secret))


def parse_key(text: str) -> KeyText | None:
    """The parts of a key, or None for a text that is not a key or was mistyped."""
    match = _KEY.fullmatch(text)
    if match is None or _make_checksum(text[:-CHECKSUM_LENGTH]) != match[3]:
        return None
    return KeyText(text, match[1], _hash(match[2]))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _make_checksum(body: str) -> str:
    return _encode(zlib.crc32(body.encode()), CHECKSUM_LENGTH)


def _encode(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(DIGITS[digit])
    return "".join(reversed(digits))
