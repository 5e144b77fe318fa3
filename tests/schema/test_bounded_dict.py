"""A bounded dict holds the entries that were added last."""

from schema.engine.bounded_dict import BoundedDict


def test_the_entry_that_was_added_first_makes_room() -> None:
    bounded = BoundedDict[str, int](2)
    for number, key in enumerate("abac"):
        bounded[key] = number
    assert bounded == {"b": 1, "c": 3}
    assert bounded.get("a") is None
