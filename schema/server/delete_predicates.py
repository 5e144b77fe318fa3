"""The predicates of `/api/v2/delete`: comparisons of tags that are joined by AND, as in InfluxDB 2."""

import re

from schema.server.bodies import BadRequest
from stores.contracts.samples import Where

_WORD = r'"(?:[^"\\\n]|\\["\'\\n])*+"|[A-Za-z_][A-Za-z0-9_]*+'
_COMPARISON = re.compile(
    rf"\s*+(?P<key>{_WORD})\s*+(?P<operator>=~|!=|!~|<=|>=|=|<|>)\s*+"
    rf"(?P<value>{_WORD}|-?[0-9]++(?:\.[0-9]++)?)\s*+"
)
_AND = re.compile(r"AND\b", re.IGNORECASE)
_ESCAPE = re.compile(r"\\(.)")
MEASUREMENT = "_measurement"
FORM = '_measurement="state" AND machine_id="M1"'


def parse_predicate(text: str) -> tuple[str | None, Where]:
    """Return the measurement (None for all) and the conditions on tags. Raises `BadRequest`."""
    conditions: dict[str, str] = {}
    position = 0
    while text:
        match = _COMPARISON.match(text, position)
        if match is None:
            raise _make_error(f"it is not of the form {FORM}")
        if match["operator"] != "=":
            raise _make_error(f"the operator {match['operator']} is not supported, only =")
        name = _read_word(match["key"])
        if name in ("_field", "_value", "_time"):
            raise _make_error(f"points are deleted with all their fields, so that {name} cannot be compared")
        if conditions.setdefault(name, _read_word(match["value"])) != _read_word(match["value"]):
            raise _make_error(f"{name} is compared with two values")
        if match.end() == len(text):
            break
        joint = _AND.match(text, match.end())
        if joint is None:
            raise _make_error("comparisons can only be joined by AND")
        position = joint.end()
    measurement = conditions.pop(MEASUREMENT, None)
    return measurement, tuple((name, (value,)) for name, value in conditions.items())


def _read_word(word: str) -> str:
    if not word.startswith('"'):
        return word
    return _ESCAPE.sub(lambda match: "\n" if match[1] == "n" else match[1], word[1:-1])


def _make_error(reason: str) -> BadRequest:
    return BadRequest(400, f"invalid predicate: {reason}")
