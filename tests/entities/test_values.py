"""Stored values as strings, and the stored values that a string may stand for."""

import math
import uuid
from datetime import datetime
from typing import Any

import pytest
from bson import Binary, Code, Decimal128, Int64, MinKey, ObjectId, Regex, Timestamp
from hypothesis import example, given
from hypothesis import strategies as st

from resolvers.rules.ids import decode_global_id, encode_global_id
from stores.contracts.changes import is_bson_equal
from stores.contracts.values import format_id, format_number, format_scalar, list_forms, list_id_forms

UUID = uuid.UUID("5f0c9a52-7f59-4a3b-9a51-1d2d8f2a7c11")
OBJECT_ID = ObjectId("0123456789abcdef01234567")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (5, "5"),
        (5.0, "5"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (1e-5, "0.00001"),
        (1.5e-7, "1.5e-7"),
        (1e16, "10000000000000000"),
        (1e21, "1e+21"),
        (1.25e300, "1.25e+300"),
        (math.nan, "NaN"),
        (-math.inf, "-Infinity"),
        (Int64(6), "6"),
    ],
)
def test_a_number_is_written_as_javascript_does(number: float, text: str) -> None:
    assert format_number(number) == text


@example(1e19)
@example(-(2.0**63))
@example(9.999e20)
@given(st.one_of(st.floats(allow_nan=False), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.text()))
def test_a_value_is_found_under_what_is_shown(value: Any) -> None:
    text = format_scalar(value)
    assert text is not None
    assert any(is_bson_equal(form, value) for form in list_forms(text))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (OBJECT_ID, "0123456789abcdef01234567"),
        (Binary.from_uuid(UUID), str(UUID)),
        (Decimal128("5.10"), "5.10"),
        (5.0, "5"),
        ("press", "press"),
        (datetime(2026, 1, 31, 9, 5, 7, 123000), "2026-01-31T09:05:07.123Z"),
        (True, "true"),
        ({"line": 1, "cell": "a"}, '{"line": {"$numberInt": "1"}, "cell": "a"}'),
        (b"\x01\x02", '{"$binary": {"base64": "AQI=", "subType": "00"}}'),
        (Timestamp(1, 2), '{"$timestamp": {"t": 1, "i": 2}}'),
        (Code("f()"), '{"$code": "f()"}'),
        (MinKey(), '{"$minKey": 1}'),
    ],
)
def test_an_id_of_any_type_has_a_string_and_a_global_id(value: Any, text: str) -> None:
    assert format_id(value) == text
    assert any(is_bson_equal(form, value) for form in list_id_forms(text))
    global_id = encode_global_id("Device", "acme", "cnc", value)
    assert decode_global_id(global_id) == ("Device", ["acme", "cnc", value])


@pytest.mark.parametrize(
    "text", ['{"$gt": ""}', '{"$regularExpression": {"pattern": ".*", "options": ""}}', "{"]
)
def test_an_operator_is_not_an_id(text: str) -> None:
    assert list_id_forms(text) == (text,)


def test_what_no_client_can_name_has_a_string_nevertheless() -> None:
    assert "regularExpression" in format_id(Regex(".*"))


def test_stored_global_ids_stay_valid() -> None:
    stored = "WyJEZXZpY2UiLCJhY21lIiwiY25jIix7IiI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2NyJ9XQ"
    assert decode_global_id(stored) == ("Device", ["acme", "cnc", OBJECT_ID])
    assert encode_global_id("Device", "acme", "cnc", OBJECT_ID) == stored
