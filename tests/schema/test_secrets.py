"""Secrets at rest: sealed with the newest key, opened with any, and put under a new key by a command."""

import asyncio
from pathlib import Path

import pytest

from stores.contracts.documents import Document
from stores.contracts.errors import BadUserInput
from stores.entities.cipher import SecretCipher, add_key, read_keys
from stores.entities.secrets import MASK
from stores.entities.services import Service
from stores.opening import open_documents
from tests.compat_rest.test_commands import fails, run

SERVICES = Service.collection_of()

CONFIGURATION = {"host": "h", "auth": {"password": "demo-only", "token": ""}, "tokens": ["a", 5]}


def test_only_secrets_are_sealed_and_a_mask_hides_them_alike(tmp_path: Path) -> None:
    cipher = SecretCipher(add_key(tmp_path / "keys"))
    sealed = cipher.encrypt(CONFIGURATION)
    assert "demo-only" not in str(sealed)
    assert (sealed["host"], sealed["auth"]["token"], sealed["tokens"][1]) == ("h", "", 5)
    assert cipher.decrypt(sealed) == CONFIGURATION
    assert cipher.rules.mask(sealed) == cipher.rules.mask(CONFIGURATION)
    assert cipher.encrypt({"password": MASK}) == {"password": MASK}
    assert SecretCipher.store_plain_text().encrypt(CONFIGURATION) == CONFIGURATION
    with pytest.raises(BadUserInput, match="no key"):
        SecretCipher([])


def test_older_keys_open_and_the_newest_seals(tmp_path: Path) -> None:
    old = SecretCipher(add_key(tmp_path / "keys"))
    new = SecretCipher(add_key(tmp_path / "keys"))
    stored = old.encrypt(CONFIGURATION)
    assert new.decrypt(stored) == CONFIGURATION
    assert old.decrypt(new.encrypt(CONFIGURATION)) != CONFIGURATION
    rotated = new.rotate(stored)
    assert SecretCipher(read_keys(tmp_path / "keys")[:1]).decrypt(rotated) == CONFIGURATION
    assert new.rotate(rotated) == rotated
    stranger = SecretCipher(add_key(tmp_path / "other"))
    assert stranger.rotate(stored) == stored
    assert stranger.has_undecryptable(stored)
    assert not new.has_undecryptable(stored)


@pytest.mark.slow
def test_a_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    add_key(tmp_path / "keys")
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600
    (tmp_path / "keys").chmod(0o640)
    with pytest.raises(BadUserInput, match="chmod 600"):
        read_keys(tmp_path / "keys")
    assert "chmod 600" in fails(
        "serve", "--port", "0", "--data", str(tmp_path), SYNC_GATEWAY_SECRETS__KEY_FILE=str(tmp_path / "keys")
    )


@pytest.mark.slow
def test_a_key_that_is_none_is_not_repeated() -> None:
    message = fails("demo", SYNC_GATEWAY_SECRETS__KEYS="demo-only")
    assert "new-key" in message
    assert "demo-only" not in message


@pytest.mark.slow
def test_rotation_puts_every_secret_under_the_newest_key(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path))
    run("demo", "--days", "0", *data)
    assert b"demo-only" not in (tmp_path / "documents.db").read_bytes()
    asyncio.run(_put(tmp_path, {"_id": 1, "name": "plain", "configuration": {"password": "demo-only"}}))
    assert "holds 2 keys" in run("new-key", *data).stdout
    assert "7 documents encrypted" in run("rotate-secrets", *data).stdout
    assert "0 documents encrypted" in run("rotate-secrets", *data).stdout
    newest = read_keys(tmp_path / "secrets.key")[:1]
    for service in asyncio.run(_services(tmp_path)):
        assert not SecretCipher(newest).has_undecryptable(service)
    (tmp_path / "secrets.key").write_text("\n".join(add_key(tmp_path / "other")))
    assert "does not have the key" in fails("rotate-secrets", *data)
    (tmp_path / "sync-gateway.json").unlink()
    assert "no key decrypts" in fails("rotate-secrets", *data)


async def _put(folder: Path, document: Document) -> None:
    store = open_documents(None, data=folder)
    await store.database(store.default).upsert(SERVICES, [document])
    await store.close()


async def _services(folder: Path) -> list[Document]:
    store = open_documents(None, data=folder)
    services = await store.database(store.default).find(SERVICES)
    await store.close()
    return services
