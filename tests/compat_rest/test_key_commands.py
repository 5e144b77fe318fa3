"""`sync-gateway keys`, and what `serve` says of who may use the gateway."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from compat_rest.commands.access import describe_access, list_access_warnings
from compat_rest.commands.terminal import out
from compat_rest.main import app
from resolvers.rules.key_text import parse_key
from schema.server.settings import ServerSettings, Settings
from schema.server.tls import TlsSettings
from stores.contracts.errors import BadUserInput
from stores.demo import plant as demo
from stores.embedded import start_anew
from stores.entities.cipher import SecretCipher
from stores.opening import open_documents


@pytest.fixture
async def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with the demo plant, and a narrow terminal."""
    monkeypatch.setattr(out, "width", 40)
    documents = open_documents(None, data=tmp_path)
    await demo.load(documents, SecretCipher.store_plain_text())
    await documents.close()
    return tmp_path


def keys(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["keys", *arguments, "--data", str(data)])


def create(data: Path, *arguments: str) -> str:
    """Create a key, which is all that is on standard output."""
    result = keys(data, "create", "dashboard", *arguments)
    assert result.exit_code == 0, result.output
    key = result.stdout.removesuffix("\n")
    assert parse_key(key) is not None
    assert key not in result.stderr
    return key


def test_names_are_printed_as_they_are(data: Path) -> None:
    name = "[/x] [red]a :smile:"
    assert name in keys(data, "create", name, "--role", "operator").stderr
    assert name in keys(data, "list").stdout
    forged = "\x1b]0;forged\x07\x9b2J"
    created = keys(data, "create", forged, "--role", "operator")
    for text in (created.stderr, keys(data, "list").stdout):
        assert not {"\x1b", "\x07", "\x9b"} & set(text)
        assert created.exit_code or r"\x1b]0;forged" in text


def test_a_key_is_created_listed_rotated_and_revoked(data: Path) -> None:
    limits = ("--limit", "cost_per_minute=5000", "--limit", "concurrent_requests=4")
    key = create(
        data, "--organization", "ferro-works", "--application", "energy", "--expires", "90d", *limits
    )
    key_id = key.split("_")[1]
    rotated = keys(data, "rotate", key_id, "--overlap", "12h")
    listed = keys(data, "list").stdout
    assert listed.count("dashboard") == 2
    for shown in (
        key_id,
        rotated.stdout.split("_")[1],
        "viewer",
        "ferro-works",
        "energy",
        "valid",
        "cost_per_minute=5000",
    ):
        assert shown in listed
    assert keys(data, "revoke", key_id).exit_code == 0
    assert "revoked" in keys(data, "list").stdout
    assert keys(data, "rotate", key_id).exit_code == 1
    assert keys(data, "revoke", "none").exit_code == 1


def test_a_key_that_makes_no_sense_is_not_created(data: Path) -> None:
    for arguments, message in (
        (("--organization", "ferro"), "There is no organization 'ferro'"),
        (("--organization", "ferro-works", "--organization", "x"), "There is no organization 'x'"),
        (("--organization", "ferro-works", "--application", "x"), "has no application 'x'"),
        (("--organization", "../x"), "is not an organization id"),
        (("--organization", "ferro-works", "--role", "king"), "is not a role"),
        (("--organization", "ferro-works", "--expires", "soon"), "is not a duration"),
        (("--organization", "ferro-works", "--limit", "speed=1"), "is not a limit"),
        (("--organization", "ferro-works", "--limit", "cost_per_minute=0"), "must be positive"),
        (("--organization", "ferro-works", "--role", "operator"), "name none"),
        ((), "Name the organizations"),
    ):
        result = keys(data, "create", "dashboard", *arguments)
        assert (result.exit_code, result.stdout) == (1, ""), arguments
        assert message in result.stderr
    assert "dashboard" not in keys(data, "list").stdout
    create(data, "--organization", "new", "--application", "a", "--allow-missing")


def describe(data: Path, **server: object) -> tuple[str, list[str]]:
    """The banner's words and the warnings of a server."""
    settings = Settings(data=data, server=ServerSettings.model_validate(server))
    access = describe_access(settings)
    return access, list_access_warnings(settings, access)


def test_serve_says_who_may_use_the_gateway(data: Path) -> None:
    access, warnings = describe(data)
    assert "whoever reaches it may do everything" in access
    assert "sync-gateway keys create NAME --role operator" in access
    assert warnings == []
    with pytest.raises(BadUserInput, match="--open"):
        describe(data, host="0.0.0.0")
    access, [warning] = describe(data, host="0.0.0.0", open=True)
    assert access.startswith("open:")
    assert "OPEN TO EVERYBODY" in warning
    create(data, "--role", "operator")
    assert describe(data) == ("API keys are required", [])
    access, [warning] = describe(data, host="0.0.0.0")
    assert access == "API keys are required"
    assert "plain text" in warning
    tls = TlsSettings(certificate=Path("a"), key=Path("b"))
    for settings in ({"tls": tls}, {"trusted_proxies": ["10.0.0.1"]}):
        assert describe(data, host="0.0.0.0", **settings)[1] == []


def test_a_gateway_whose_keys_are_lost_is_not_open(data: Path) -> None:
    create(data, "--role", "operator")
    for file in data.glob("documents.db*"):
        file.unlink()
    start_anew(data, None, None)
    access, _ = describe(data)
    assert access.startswith("API keys are required, but none is stored any more: create one")
