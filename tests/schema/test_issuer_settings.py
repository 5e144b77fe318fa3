"""The settings of issuers: every fault is named by its line."""

from pathlib import Path

import pytest

from schema.server.issuer_settings import AuthSettings
from schema.server.settings_loading import load_settings
from schema.server.yaml_file import SettingsError
from tests.schema.issuer import Issuer

ISSUER = """\
auth:
  issuers:
    - issuer: https://login.example
      audience: sync-gateway
      grants:
        - claim: groups
          value: office
          role: viewer
          organizations: [acme]
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("audience: sync-gateway", "audience: a\n      algorithms: [RS256, HS256]", 5, "'RS256'"),
        ("audience: sync-gateway", "audience: a\n      algorithms: [none]", 5, "'RS256'"),
        ("audience: sync-gateway", "audience: a\n      audience: b", 5, "set twice"),
        ("audience: sync-gateway", "client: a", 4, "no such setting"),
        ("audience: sync-gateway", "audience: a\n      jwks: http://login.example/keys", 5, "https://"),
        ("https://login.example", "http://login.example", 3, "https://"),
        ("https://login.example", "https://a:b@login.example", 3, "user name"),
        ("role: viewer", "role: emperor", 8, "'viewer'"),
        ("role: viewer", "role: operator", 6, "name no organizations"),
        ("role: viewer", "ingest: false", 6, "needs a role"),
        ("[acme]", "[]", 6, "name the organizations"),
        ("[acme]", "[a/b]", 9, "organization id"),
        ("value: office", "value: true", 7, "string"),
    ],
)
def test_a_fault_of_the_settings_is_named_by_its_line(
    tmp_path: Path, old: str, new: str, line: int, message: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(ISSUER)
    assert load_settings(path, {}).auth.issuers[0].algorithms == ("RS256", "ES256")
    path.write_text(ISSUER.replace(old, new))
    with pytest.raises(SettingsError) as raised:
        load_settings(path, {})
    lines = [text for text in str(raised.value).splitlines() if text.startswith(f"{path}:{line}: auth.")]
    assert any(message in text for text in lines), str(raised.value)


def test_an_issuer_is_named_once() -> None:
    issuer = Issuer()
    issuer.url = "https://login.example"
    with pytest.raises(ValueError, match="named twice"):
        AuthSettings(issuers=(issuer.settings(), issuer.settings(audience="other")))


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8080/realm", "http://localhost", "http://[::1]:1", "https://login.example/realms/a"],
)
def test_an_issuer_is_reached_by_https_or_on_this_machine(url: str) -> None:
    issuer = Issuer()
    issuer.url = url
    assert issuer.settings().issuer == url
