"""The fields of a line of InfluxDB's line protocol: where they end, and what their names and values are."""

import re

from stores.contracts.samples import Unsigned, Value

BOOLEANS = dict.fromkeys(("t", "T", "true", "True", "TRUE"), True) | dict.fromkeys(
    ("f", "F", "false", "False", "FALSE"), False
)
FIELD_CHARACTERS = re.compile(r'[\\ =,"]')  # those that matter to where the fields end
FIELD_VALUE = re.compile(r'(?:\\["\\]|[^",]|"(?:\\["\\]|[^"])*+(?:"|\Z))*+')
LITERAL = re.compile(r"[^, ]++")
INTEGER = re.compile(r"-?0*+([0-9]{0,19})i")
UNSIGNED = re.compile(r"0*+([0-9]{0,20})u")
FLOAT = re.compile(r"-?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")


class InvalidLine(Exception):
    """What is wrong with a line."""


def find_fields_end(line: str, start: int) -> int:
    """Return where the fields of a line end. Raises `InvalidLine` if they are not well-formed."""
    is_quoted = False
    equals = commas = 0
    position = start
    while (match := FIELD_CHARACTERS.search(line, position)) is not None:
        position, character = match.start(), match[0]
        if character == "\\":
            position += 2
        elif character == '"':
            is_quoted ^= equals > commas
            position += 1
        elif is_quoted:
            position += 1
        elif character == "=":
            equals += 1
            position = find_value_end(line, position)
        elif character == ",":
            commas += 1
            position += 1
        else:
            break
    else:
        position = len(line)
    if is_quoted:
        raise InvalidLine("unbalanced quotes")
    if equals == 0 or commas != equals - 1:
        raise InvalidLine("invalid field format")
    return min(position, len(line))


def find_value_end(line: str, equals: int) -> int:
    """Return where the value after an equals sign ends; for a string, where it begins.

    Raises `InvalidLine` if the name or the value is missing, or if a number or a boolean is not valid.
    """
    if line[equals - 1] in " ," and line[equals - 2] != "\\":
        raise InvalidLine("missing field key")
    first = line[equals + 1 : equals + 2]
    if first in ("", ",", " "):
        raise InvalidLine("missing field value")
    if first == '"':
        return equals + 1
    match = LITERAL.match(line, equals + 1)
    assert match is not None
    parse_value(match[0])
    return match.end()


def parse_fields(text: str) -> dict[str, Value]:
    """Return the fields by name; of a name that occurs twice, the last one. Raises `InvalidLine`."""
    fields: dict[str, Value] = {}
    position = 0
    while position < len(text):
        equals = text.find("=", position)
        while equals > position and text[equals - 1] == "\\":
            equals = text.find("=", equals + 1)
        name = text[position:equals]
        if equals < 0 or equals + 1 == len(text):
            raise InvalidLine(f"invalid value: field-key={name}")
        match = FIELD_VALUE.match(text, equals + 1)
        assert match is not None
        fields[unescape(name, r'," =')] = parse_value(match[0])
        position = match.end() + 1
    return fields


def parse_value(literal: str) -> Value:
    """Return the value of a field. Raises `InvalidLine`."""
    first, last = literal[:1], literal[-1:]
    if first == '"':
        return unescape(literal[1:-1], r'"\\')
    if literal in BOOLEANS:
        return BOOLEANS[literal]
    if first in "tTfF":
        raise InvalidLine("invalid boolean")
    if last == "i" and (match := INTEGER.fullmatch(literal)) and literal not in ("-i", "i"):
        integer = int(match[1] or 0)
        integer = -integer if first == "-" else integer
        if -(2**63) <= integer < 2**63:
            return integer
    elif last == "u" and (match := UNSIGNED.fullmatch(literal)) and literal != "u":
        unsigned = int(match[1] or 0)
        if unsigned < 2**64:
            return Unsigned(unsigned)
    elif FLOAT.fullmatch(literal):
        number = float(literal)
        if abs(number) != float("inf"):
            return number
    raise InvalidLine("invalid number" if first in "0123456789.-nN" else "invalid boolean")


def unescape(text: str, characters: str) -> str:
    """Remove the backslash before each of these characters (a class of a regular expression)."""
    return re.sub(rf"\\([{characters}])", r"\1", text) if "\\" in text else text
