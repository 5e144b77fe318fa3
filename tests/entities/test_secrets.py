"""Which values of a document are secrets, how masks hide them, and which secret a mask stands for."""

import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from stores.entities.cipher import SecretCipher
from stores.entities.secrets import MASK, SECRET_NAMES, SecretRules, has_mask

RULES = SecretRules()
MARKER = "demo-only"


def test_the_names_of_secrets_are_documented() -> None:
    root = Path(__file__).parents[2]
    text = "".join(path.read_text() for path in (root / "README.md", *(root / "docs").rglob("*.md")))
    assert [name for name in SECRET_NAMES if f"`{name.replace(' ', '_')}`" not in text] == []


def mask(value: Any) -> Any:
    return RULES.mask({"configuration": value})["configuration"]


def restore(value: Any, stored: Any) -> Any:
    return RULES.restore({"configuration": value}, {"configuration": stored})["configuration"]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_value_under_a_secret_name_is_masked(name: str) -> None:
    camel = "".join(word.title() for word in name.split())
    for key in (
        name.replace(" ", ""),
        name.replace(" ", "_").upper(),
        name.replace(" ", "-"),
        f"mqtt{camel}",
    ):
        assert mask({key: MARKER}) == {key: MASK}
        assert mask({"a": [{key: {"b": [MARKER, 5, True, None, ""]}}]}) == {
            "a": [{key: {"b": [MASK, MASK, True, None, ""]}}]
        }


def test_short_names_of_secrets_count_at_the_end_of_words() -> None:
    secrets = (
        "psk",
        "wifiPsk",
        "WPA_PSK",
        "wpapsk",
        "psk_2",
        "community",
        "snmpCommunity",
        "rocommunity",
        "COMMUNITY",
    )
    others = ("pskov", "Pskov", "PSKOV", "topskill", "communityCenter".lower(), "communities", "accessLevel")
    assert mask(dict.fromkeys((*secrets, *others), MARKER)) == {
        **dict.fromkeys(secrets, MASK),
        **dict.fromkeys(others, MARKER),
    }


PARTS = {
    "snmp://h?community=demo-only&psk=demo-only": "snmp://h?community=********&psk=********",
    "mqtt://plant:demo-only@broker.example:1883/x": "mqtt://plant:********@broker.example:1883/x",
    "amqp://:demo-only@h": "amqp://:********@h",
    "mongodb+srv://u:p@demo-only@h/db?ssl=true": "mongodb+srv://u:********@h/db?ssl=true",
    "http://h:8086/write?db=x&p=1": "http://h:8086/write?db=x&p=1",
    "http://h:8086/a@b": "http://h:8086/a@b",
    "http://h/w?db=x&token=demo-only&p=1": "http://h/w?db=x&token=********&p=1",
    "Server=h;User Id=u;Password=demo-only;Encrypt=true": "Server=h;User Id=u;Password=********;Encrypt=true",
    "Endpoint=sb://h/;SharedAccessKey=demo-only==": "Endpoint=sb://h/;SharedAccessKey=********",
    "host=h user=u password='demo-only 2' sslmode=off": "host=h user=u password=******** sslmode=off",
    "AccountName=a;AccountKey=demo-only": "AccountName=a;AccountKey=********",
    "Bearer demo-only-demo-only": "Bearer ********",
    "-----BEGIN PRIVATE KEY-----\ndemo-only\n-----END PRIVATE KEY-----": MASK,
    "ana@ferro.example": "ana@ferro.example",
}


@pytest.mark.parametrize("text", PARTS)
def test_secrets_inside_strings_are_masked_encrypted_and_restored(text: str) -> None:
    cipher = SecretCipher([Fernet.generate_key().decode()])
    document = {"configuration": {"url": text, "list": [text]}}
    masked = PARTS[text]
    assert cipher.rules.mask(document)["configuration"] == {"url": masked, "list": [masked]}
    encrypted = cipher.encrypt(document)
    assert MARKER not in str(encrypted)
    assert cipher.decrypt(encrypted) == document
    assert cipher.rules.mask(encrypted) == cipher.rules.mask(document)
    assert cipher.rules.restore(cipher.rules.mask(encrypted), encrypted) == encrypted
    assert has_mask(masked) == (masked != text)


def test_the_operator_names_further_secrets() -> None:
    rules = SecretRules(["properties.station.pin", "configuration.*.code"])
    document = {
        "properties": {"station": {"pin": "1", "name": "2"}, "pin": "3", "stations": [{"pin": "4"}]},
        "configuration": {"a": [{"code": "5"}], "code": "6", "b": {"code": {"deep": "7"}}},
    }
    assert rules.mask(document) == {
        "properties": {"station": {"pin": MASK, "name": "2"}, "pin": "3", "stations": [{"pin": "4"}]},
        "configuration": {"a": [{"code": MASK}], "code": "6", "b": {"code": {"deep": MASK}}},
    }
    assert rules.restore(rules.mask(document), document) == document


def test_what_an_entity_is_called_is_not_changed() -> None:
    document = {"_id": 1, "name": "token=a", "description": "Password=b", "driver": "x", "password": "c"}
    assert RULES.mask(document) == {**document, "password": MASK}


BROKERS = [{"host": "a", "password": "A"}, {"host": "b", "password": "B"}]


@pytest.mark.parametrize(
    ("input_value", "stored", "expected"),
    [
        # removed, reordered, changed and added items keep the secrets that are theirs
        ([{"host": "b", "password": MASK}], BROKERS, [BROKERS[1]]),
        (mask(BROKERS)[::-1], BROKERS, BROKERS[::-1]),
        (
            [{"host": "b", "port": 1, "password": MASK}, {"host": "c", "password": "C"}],
            BROKERS,
            [{"host": "b", "port": 1, "password": "B"}, {"host": "c", "password": "C"}],
        ),
        ([{"host": "c", "password": MASK}], BROKERS, None),
        ([{"host": "a", "password": MASK}] * 2, BROKERS, None),
        # two of one name, distinguished by the host
        (
            [{"name": "x", "host": "b", "token": MASK}],
            [{"name": "x", "host": "a", "token": "A"}, {"name": "x", "host": "b", "token": "B"}],
            [{"name": "x", "host": "b", "token": "B"}],
        ),
        # without such a key: unchanged as a whole, or one item that is distinguished by its other values
        ({"tokens": [MASK, MASK]}, {"tokens": ["A", "B"]}, {"tokens": ["A", "B"]}),
        ({"tokens": [MASK]}, {"tokens": ["A", "B"]}, None),
        ({"tokens": [MASK, "C"]}, {"tokens": ["A", "B"]}, None),
        ({"tokens": ["C", MASK]}, {"tokens": ["A"]}, {"tokens": ["C", "A"]}),
        (
            [{"line": 2, "pwd": MASK}],
            [{"line": 1, "pwd": "A"}, {"line": 2, "pwd": "B"}],
            [{"line": 2, "pwd": "B"}],
        ),
        # a mask stands for a secret, not for what happens to be stored under another name
        ({"host": MASK}, {"host": "h"}, None),
        ({"password": MASK}, {}, None),
        ({"password": MASK}, {"password": 1234}, {"password": 1234}),
        ({"url": "mqtt://u:********@new"}, {"url": "mqtt://u:A@old"}, {"url": "mqtt://u:A@new"}),
        ({"url": "mqtt://u:********@h?token=********"}, {"url": "mqtt://u:A@h"}, None),
    ],
)
def test_a_mask_stands_for_the_secret_of_its_item_or_stays(
    input_value: Any, stored: Any, expected: Any
) -> None:
    restored = restore(input_value, stored)
    assert (None if has_mask(restored) else restored) == expected


@pytest.mark.parametrize("repeated", ["a.", "://", "x y ", "p=", "@", "://a:", "token ", "Bearer "])
def test_searching_a_string_for_secrets_is_linear(repeated: str) -> None:
    text = repeated * (400_000 // len(repeated)) + "=@"

    def measure(length: int) -> float:
        start = time.process_time()
        mask({"text": text[-length:]})
        return time.process_time() - start

    measure(1000)
    short, long = measure(len(text) // 16), measure(len(text))
    assert long < 64 * max(short, 0.001)  # 16 times as much text; 256 times if it were quadratic
