"""Settings: every fault is named by file and line, and nothing is guessed."""

import json
from pathlib import Path

import pytest

from schema.server.settings import Settings
from schema.server.settings_loading import list_warnings, load_settings
from schema.server.settings_reference import list_settings, render_config
from schema.server.yaml_file import SettingsError

COMMITTED = Path(__file__).parents[2] / "config.yaml"
README = Path(__file__).parents[2] / "README.md"


def fault(tmp_path: Path, text: str | bytes, **environment: str) -> str:
    path = tmp_path / "config.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(SettingsError) as raised:
        load_settings(path, environment)
    return str(raised.value)


def test_the_committed_file_is_made_from_the_settings() -> None:
    assert COMMITTED.read_text() == render_config()
    assert load_settings(COMMITTED, {}) == Settings()


def test_the_reference_describes_every_setting() -> None:
    rows = {row.name: row for row in list_settings()}
    assert all(row.description.endswith(".") for row in rows.values())
    port = rows["server.port"]
    assert port[1:4] == ("3000", "integer, at least 0, at most 65535", ("SYNC_GATEWAY_SERVER__PORT", "PORT"))
    assert rows["documents.driver"].type == "one of pymongo, motor"
    assert rows["server.cors_allowed_origins"].type == "list of strings"
    assert rows["series.retention_days"].type == "integer or null, at least 1"


def test_every_variable_of_the_reference_is_read() -> None:
    for row in list_settings():
        if row.default not in ("null", "[]", "{}", "''"):
            for variable in row.variables:
                assert load_settings(None, {variable: row.default}) == Settings(), variable


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("server:\n  prot: 1\n", 2, "no such setting"),
        ("sever: {}\n", 1, "no such setting"),
        ("server:\n  port: 1\n  port: 2\n", 3, "set twice"),
        ("server:\n  port: many\n", 2, "integer"),
        ("server:\n  port: 70000\n", 2, "65535"),
        ("server:\n  host: [a]\n", 2, "string"),
        ("server:\n  cors_allowed_origins: ['*']\n", 2, "is not an origin"),
        ("server:\n  cors_allowed_origins: ['https://a/b']\n", 2, "without a path"),
        ("server:\n  hosts: ['https://a']\n", 2, "host name"),
        ("server:\n  trusted_proxies: ['proxy']\n", 2, "IPv4"),
        ("server: text\n", 1, "valid"),
        ("documents:\n  url: http://x\n", 2, "mongodb://"),
        ("documents:\n  driver: other\n", 2, "pymongo"),
        ("documents:\n  deadline: 0\n", 2, "greater"),
        ("a: &x [1]\nb: *x\n", 1, "anchors"),
        ("- a\n", 1, "by name"),
        ("a: [\n", 2, ""),
        ("a: 1\n---\nb: 2\n", 2, ""),
    ],
)
def test_a_fault_is_named_by_its_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    assert fault(tmp_path, text).startswith(f"{tmp_path}/config.yaml:{line}: ")
    assert message in fault(tmp_path, text)


def test_a_bomb_of_aliases_stops_at_its_first_line(tmp_path: Path) -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{c}: &{c} [{', '.join([f'*{chr(ord(c) - 1)}'] * 9)}]\n" for c in "bcdefghij"
    )
    assert "anchors" in fault(tmp_path, bomb)


def test_a_file_that_is_not_text_is_rejected(tmp_path: Path) -> None:
    assert "UTF-8" in fault(tmp_path, b"\xff\xfe")
    assert "1 MiB" in fault(tmp_path, "#" * 1024 * 1024 + "##")
    assert "config.yaml:1: nested more than 32 levels" in fault(tmp_path, "[" * 100_000)


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    message = fault(tmp_path, "server:\n  prot: 1\n  port: x\n", SYNC_GATEWAY_LOG__LEVEL="loud")
    assert len(message.splitlines()) == 3
    assert "environment: SYNC_GATEWAY_LOG__LEVEL" in message


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("server:\n  port: 1\n  host: ::1\n")
    environment = {
        "PORT": "2",
        "MONGODB_URI": "mongodb://db.example/plant",
        "CORS_ALLOWED_ORIGIN": "https://a.example, https://b.example",
        "ORGANIZATION_ID": "ignored",
        "SYNC_GATEWAY_DOCUMENTS__DRIVER": "motor",
        "SYNC_GATEWAY_DATA": "elsewhere",
    }
    settings = load_settings(path, environment)
    assert settings.server.port == 2
    assert settings.server.host == "::1"
    assert settings.server.cors_allowed_origins == ("https://a.example", "https://b.example")
    assert settings.documents.url is not None
    assert settings.documents.driver == "motor"
    assert settings.data == Path("elsewhere")
    assert load_settings(path, {**environment, "SYNC_GATEWAY_SERVER__PORT": "3"}).server.port == 3


ISSUER = {
    "issuer": "https://login.example/realms/plant",
    "audience": "gateway",
    "grants": [{"claim": "groups", "value": "office", "role": "viewer", "organizations": ["acme"]}],
}


def test_every_list_and_map_is_read_from_the_environment() -> None:
    settings = load_settings(
        None,
        {
            "SYNC_GATEWAY_AUTH__ISSUERS": json.dumps([ISSUER]),
            "SYNC_GATEWAY_SERIES__DATABASES": '{"acme": "acme_machines"}',
            "SYNC_GATEWAY_SECRETS__PATHS": "properties.pin, configuration.code",
            "SYNC_GATEWAY_SERVER__HOSTS": '["a.example"]',
            "SYNC_GATEWAY_COMPAT__ANONYMOUS__NETWORKS": "10.1.0.0/16",
            "SYNC_GATEWAY_COMPAT__ANONYMOUS__ORGANIZATIONS": "acme,acme-2",
        },
    )
    assert [issuer.issuer for issuer in settings.auth.issuers] == [ISSUER["issuer"]]
    assert settings.series.databases == {"acme": "acme_machines"}
    assert settings.secrets.paths == ("properties.pin", "configuration.code")
    assert settings.server.hosts == ("a.example",)
    assert settings.compat.anonymous.organizations == ("acme", "acme-2")
    with pytest.raises(SettingsError, match="SYNC_GATEWAY_AUTH__ISSUERS: not valid JSON") as raised:
        load_settings(None, {"SYNC_GATEWAY_AUTH__ISSUERS": '[{"issuer": demo-only}]'})
    assert "demo-only" not in str(raised.value)


def test_origins_are_normalized() -> None:
    variables = {"CORS_ALLOWED_ORIGIN": "http://localhost:5173/, HTTPS://A.example:443,https://a.example"}
    expected = ("http://localhost:5173", "https://a.example")
    assert load_settings(None, variables).server.cors_allowed_origins == expected


def test_the_star_of_the_original_means_no_other_origin_and_says_what_to_write() -> None:
    variables = {"CORS_ALLOWED_ORIGIN": "*"}
    assert load_settings(None, variables).server.cors_allowed_origins == ()
    [warning] = list_warnings(variables)
    assert "CORS_ALLOWED_ORIGIN=https://console.example" in warning
    assert list_warnings({"CORS_ALLOWED_ORIGIN": "https://a.example"}) == []
    with pytest.raises(SettingsError, match="List each origin"):
        load_settings(None, {"SYNC_GATEWAY_SERVER__CORS_ALLOWED_ORIGINS": "*"})


def test_a_secret_is_not_repeated_in_a_fault(tmp_path: Path) -> None:
    message = fault(tmp_path, "documents:\n  url: http://user:demo-only@x\n")
    assert "demo-only" not in message
