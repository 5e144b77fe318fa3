"""Cursors: positions in a list, signed, so that only a cursor that the gateway has made reaches a store.

The signature is an HMAC under keys that are derived from the keys of the stored secrets. Cursors therefore
survive a restart and are valid at every gateway that has the same keys. A gateway without keys signs with a
random key, and its cursors end with its process.
"""

import base64
import binascii
import hmac
from collections.abc import Sequence
from datetime import datetime
from types import NoneType
from typing import Any

import bson
import orjson
from bson import Binary, DatetimeMS, Decimal128, Int64, ObjectId

from resolvers.context import Context
from stores.contracts.documents import CODEC
from stores.contracts.errors import BadUserInput

Position = tuple[Any, Any]  # the value that the list is ordered by, and the document's id
SIGNATURE_BYTES = 16
SCALARS = frozenset(
    (NoneType, bool, int, Int64, float, str, bytes, Binary, ObjectId, datetime, DatetimeMS, Decimal128)
)


class Cursors:
    """The cursors of one list. `name` identifies the list and its order: no other list takes its cursors."""

    def __init__(self, context: Context, name: Sequence[str]) -> None:
        self._keys = context.cipher.derive_keys("cursors")
        self._name = orjson.dumps(name)

    def encode(self, position: Position) -> str:
        """The cursor of a position: a value, which counts as null unless it is a scalar, and any id."""
        value, document_id = position
        value = value if type(value) in SCALARS else None
        content = bson.encode({"v": value, "i": document_id}, codec_options=CODEC)
        return base64.urlsafe_b64encode(self._sign(self._keys[0], content) + content).decode().rstrip("=")

    def decode(self, cursor: str | None) -> Position | None:
        """The position of a cursor. Raises `BadUserInput` if this list has no such cursor."""
        if cursor is None:
            return None
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise _make_error() from None
        signature, content = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
        if not any(hmac.compare_digest(signature, self._sign(key, content)) for key in self._keys):
            raise _make_error()
        position = bson.decode(content, CODEC)
        return position["v"], position["i"]

    def _sign(self, key: bytes, content: bytes) -> bytes:
        return hmac.digest(key, self._name + content, "sha256")[:SIGNATURE_BYTES]


def _make_error() -> BadUserInput:
    return BadUserInput(
        "after is not a cursor of this list in this order; request the first page again.", fields=["after"]
    )
