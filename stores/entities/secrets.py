"""Secrets inside documents: which values are secrets, how they are masked, and how masks are resolved.

In the documents of an entity that declares `secrets`, these are secrets:

- every string below a name that contains one of `SECRET_NAMES`, in any case, with `_`, `-` or nothing between
  words, or a word that ends with `psk` or `community`;
- every string at one of the paths that the operator lists in `secrets.paths`, and below it;
- inside other strings: the password of a URL (`mqtt://user:PASSWORD@host`), the values of such names in query
  strings and connection strings (`Password=VALUE;`), a bearer token, and a PEM private key.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

MASK = "********"
ENCRYPTED = "sealed:"  # how an encrypted secret begins
SECRET_NAMES = (
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "api key",
    "access key",
    "account key",
    "private key",
    "shared key",
    "signing key",
    "encryption key",
    "passcode",
    "credential",
    "authorization",
)
# A pre-shared key and the community of SNMP, at the end of a word only: wifiPsk and WPA_PSK, but not pskov.
_WORDS = "(?-i:(?:[pP]sk|[cC]ommunity)(?![a-z])|(?:PSK|COMMUNITY)(?![A-Z]))"
_NAMES = "|".join([*(name.replace(" ", "[_-]?") for name in SECRET_NAMES), _WORDS])
_SECRET_NAME = re.compile(rf"{_NAMES}|^pass$", re.IGNORECASE)
# The parts of a string that are secrets: what is before the part, and the part.
_PARTS = re.compile(
    r"(?<=://)(?P<user>[^\s/:@]*:)(?P<password>(?!\d{1,5}(?:[/?#]|$))\S+)(?=@)"
    rf"|(?P<name>(?:^|[?&;,\s])[\w.-]{{0,64}}?(?:{_NAMES})[\w.-]{{0,64}}\s{{0,8}}=\s{{0,8}})"
    r"(?P<value>\"[^\"]*\"|'[^']*'|[^&;,\s]+)"
    r"|(?P<scheme>\bBearer\s{1,8})(?P<bearer>[\w.~+/=:*-]{8,})",
    re.IGNORECASE,
)
_PRIVATE_KEY = "PRIVATE KEY-----"
# By these, the items of a list are recognized when a client sends masks in them.
ITEM_KEYS = ("id", "name", "key", "host", "hostname", "address", "url", "endpoint", "clientId", "topic")

# At the top of a document: what an entity is called, which the gateway itself has to compare.
PLAIN_KEYS = ("_id", "name", "driver", "type", "description", "organizationId", "applicationId")

Patterns = Sequence[tuple[str, ...]]
Convert = Callable[[Any], Any]


class SecretRules:
    """Which values of a document are secrets.

    `paths` are dotted paths from the top of a document, such as `properties.station.pin`; `*` stands for any
    name. Items of lists are below the name of the list.
    """

    def __init__(self, paths: Sequence[str] = ()) -> None:
        self._patterns: Patterns = [tuple(path.split(".")) for path in paths]

    def convert(self, document: dict[str, Any], convert: Callable[[str], str]) -> dict[str, Any]:
        """A copy of a document with `convert` applied to every secret, except empty strings.

        What `PLAIN_KEYS` name is no secret.
        """
        return self._convert_members(
            document, convert, convert_number=None, patterns=self._patterns, is_top=True
        )

    def mask(self, document: dict[str, Any]) -> dict[str, Any]:
        """A copy of a document in which every secret is a mask, also numbers."""
        return self._convert_members(
            document, lambda _: MASK, convert_number=lambda _: MASK, patterns=self._patterns, is_top=True
        )

    def restore(self, document: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
        """A copy of a document in which every mask is replaced by the secret that it stands for in `stored`.

        A mask stands for the secret at the same path. Items of lists are recognized by one of `ITEM_KEYS`, or
        by what they have beside their secrets. A mask that could stand for none or for several secrets stays.
        """
        return {key: self._restore(value, stored.get(key), (key,)) for key, value in document.items()}

    def _convert_members(
        self,
        value: dict[str, Any],
        convert: Callable[[str], str],
        *,
        convert_number: Convert | None,
        patterns: Patterns,
        is_top: bool = False,
    ) -> dict[str, Any]:
        members = {}
        for key, member in value.items():
            below = [pattern[1:] for pattern in patterns if pattern[:1] in ((key,), ("*",))]
            is_secret = () in below or _SECRET_NAME.search(key) is not None
            if is_top and key in PLAIN_KEYS:
                members[key] = member
            else:
                members[key] = self._convert_value(member, convert, convert_number, below, is_secret)
        return members

    def _convert_value(
        self,
        value: Any,
        convert: Callable[[str], str],
        convert_number: Convert | None,
        patterns: Patterns,
        is_secret: bool,
    ) -> Any:
        match value:
            case dict() if not is_secret:
                return self._convert_members(value, convert, convert_number=convert_number, patterns=patterns)
            case dict():
                items = value.items()
                return {k: self._convert_value(v, convert, convert_number, patterns, True) for k, v in items}
            case list():
                return [
                    self._convert_value(item, convert, convert_number, patterns, is_secret) for item in value
                ]
            case str() if is_secret or _PRIVATE_KEY in value or value.startswith(ENCRYPTED):
                return convert(value) if value else value
            case str():
                return _convert_parts(value, convert)
            case int() | float() if is_secret and convert_number is not None and not isinstance(value, bool):
                return convert_number(value)
        return value

    def _restore(self, value: Any, stored: Any, path: tuple[str, ...]) -> Any:
        match value:
            case dict():
                members = stored if isinstance(stored, dict) else {}
                return {k: self._restore(v, members.get(k), (*path, k)) for k, v in value.items()}
            case list() if has_mask(value):
                return self._restore_items(value, stored if isinstance(stored, list) else [], path)
            case str() if value == MASK:
                is_secret = isinstance(stored, str | int | float) and self._mask_at(stored, path) == MASK
                return stored if is_secret else value
            case str() if isinstance(stored, str) and has_mask(value):
                return _restore_parts(value, stored)
        return value

    def _restore_items(self, items: list[Any], stored: list[Any], path: tuple[str, ...]) -> list[Any]:
        masked = [self._mask_at(item, path) for item in stored]
        if items == masked:
            return list(stored)
        restored = list(items)
        for position, item in enumerate(items):
            index = _find_item(item, items, masked) if has_mask(item) else None
            if index is not None:
                restored[position] = self._restore(item, stored[index], path)
        return restored

    def _mask_at(self, value: Any, path: tuple[str, ...]) -> Any:
        """The value as it is masked at a path."""
        for key in reversed(path):
            value = {key: value}
        masked: Any = self.mask(value)
        for key in path:
            masked = masked[key]
        return masked


def has_mask(value: Any) -> bool:
    """Whether a value contains a mask, or a string with a mask in place of a secret part."""
    match value:
        case dict():
            return any(map(has_mask, value.values()))
        case list():
            return any(map(has_mask, value))
        case str():
            return MASK in value and (value == MASK or MASK in (part for _, part in _find_parts(value)))
    return False


def _find_item(item: Any, items: list[Any], masked: list[Any]) -> int | None:
    """The index of the stored item, given as masked, that an item stands for; None if that is not certain."""
    if isinstance(item, dict):
        for key in ITEM_KEYS:
            if isinstance(value := item.get(key), str | int) and value != MASK:
                indexes = [i for i, other in enumerate(masked) if _get_member(other, key) == value]
                is_unique = sum(_get_member(other, key) == value for other in items) == 1
                if len(indexes) == 1 and is_unique:
                    return indexes[0]
    indexes = [i for i, other in enumerate(masked) if other == item]
    return indexes[0] if len(indexes) == 1 and items.count(item) == 1 else None


def _get_member(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _find_parts(text: str) -> Iterator[tuple[str, str]]:
    for match in _PARTS.finditer(text):
        before, part = _split(match)
        yield before, part


def _split(match: re.Match[str]) -> tuple[str, str]:
    before = match["user"] or match["name"] or match["scheme"] or ""
    return before, match[0][len(before) :]


def _convert_parts(text: str, convert: Callable[[str], str]) -> str:
    def replace(match: re.Match[str]) -> str:
        before, part = _split(match)
        return before + convert(part)

    # Most strings have no part that is a secret, and are returned without a search.
    return _PARTS.sub(replace, text) if "@" in text or "=" in text or "earer" in text.lower() else text


def _restore_parts(text: str, stored: str) -> str:
    """The string with its masks replaced, if both strings have as many secret parts."""
    secrets = [part for _, part in _find_parts(stored)]
    if len(secrets) != len(list(_find_parts(text))):
        return text
    remaining = iter(secrets)

    def restore(part: str) -> str:
        secret = next(remaining)
        return secret if part == MASK else part

    return _convert_parts(text, restore)
