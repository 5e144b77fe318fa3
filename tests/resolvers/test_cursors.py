"""Cursors: signed positions of a list, which survive a restart wherever there is a key."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import bson
import pytest
from bson import Decimal128, ObjectId
from cryptography.fernet import Fernet

from resolvers.context import Context, Viewer
from resolvers.rules.cursors import Cursors
from resolvers.series_access import SeriesAccess
from stores.contracts.errors import BadUserInput
from stores.entities.cipher import SecretCipher
from stores.opening import open_documents, open_series

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
ID = ObjectId("65f0c0ffee65f0c0ffee65f0")


@pytest.fixture
def context(tmp_path: Path) -> Context:
    viewer = Viewer(open_documents(None, data=tmp_path), SeriesAccess(open_series(None, data=tmp_path)))
    return Context(viewer, icons=None, cipher=SecretCipher.store_plain_text())  # type: ignore[arg-type]  # no icon is read


def cursors(context: Context, keys: Sequence[str], *name: str) -> Cursors:
    """The cursors of a gateway that was just started with these keys."""
    context.cipher = SecretCipher(keys, plain_text=not keys)
    return Cursors(context, name or ("devices",))


@pytest.mark.parametrize(
    "value",
    [None, True, 1, 1.5, "text", b"x", ID, datetime(1, 1, 1), datetime(9999, 12, 31), Decimal128("1.5")],
)
def test_every_scalar_is_a_position(context: Context, value: Any) -> None:
    list_cursors = cursors(context, [NEW])
    assert list_cursors.decode(list_cursors.encode((value, ID))) == (value, ID)
    assert list_cursors.decode(None) is None


@pytest.mark.parametrize("value", [{"$regex": "."}, [1], bson.Regex("."), bson.Code("x"), bson.MinKey()])
def test_what_is_no_scalar_counts_as_null(context: Context, value: Any) -> None:
    list_cursors = cursors(context, [NEW])
    assert list_cursors.decode(list_cursors.encode((value, ID))) == (None, ID)


def test_a_cursor_survives_a_restart_another_gateway_and_a_new_key(context: Context) -> None:
    cursor = cursors(context, [OLD]).encode(("a", ID))
    assert cursors(context, [OLD]).decode(cursor) == ("a", ID)
    assert cursors(context, [NEW, OLD]).decode(cursor) == ("a", ID)
    for keys in ([NEW], []):
        with pytest.raises(BadUserInput):
            cursors(context, keys).decode(cursor)


def test_without_a_key_a_cursor_is_valid_in_its_process_only(context: Context) -> None:
    list_cursors = cursors(context, [])
    cursor = list_cursors.encode(("a", ID))
    assert list_cursors.decode(cursor) == ("a", ID)
    with pytest.raises(BadUserInput):
        cursors(context, []).decode(cursor)


def test_names_of_lists_are_not_run_together(context: Context) -> None:
    cursor = cursors(context, [NEW], "a", "b").encode(("a", ID))
    for name in (("ab",), ("a", "b", ""), ("a,b",), ('a","b',), ("a",)):
        with pytest.raises(BadUserInput):
            cursors(context, [NEW], *name).decode(cursor)


def test_any_changed_byte_is_noticed(context: Context) -> None:
    list_cursors = cursors(context, [NEW])
    cursor = list_cursors.encode(("a", ID))
    for index, character in enumerate(cursor):
        for other in ("A", "B"):
            if other != character:
                changed = cursor[:index] + other + cursor[index + 1 :]
                try:
                    assert list_cursors.decode(changed) == ("a", ID)  # the last character has unused bits
                    assert index == len(cursor) - 1
                except BadUserInput:
                    pass
