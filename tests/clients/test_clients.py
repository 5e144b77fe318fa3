"""Apollo Client and urql with the configuration of docs/clients.md, as two components use them."""

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from compat_rest.app import create_app
from resolvers.api_keys import KeySpec, create_api_key
from resolvers.grants import Role
from schema.server.settings import Settings
from stores.demo import plant as demo
from stores.entities.cipher import SecretCipher
from stores.opening import open_documents, open_series
from tests.docs.markdown import PROJECT, read_blocks
from tests.serving import served

CLIENTS = PROJECT / "docs" / "clients.md"


@pytest.fixture
async def outcome(graphql_clients: Path, tmp_path: Path) -> Any:
    """What the clients did with the demo plant: counts of requests, what they showed, and warnings."""
    [configuration] = [b for b in read_blocks(CLIENTS) if b.language == "js" and not b.options]
    (tmp_path / "configuration.mjs").write_text(configuration.text)
    documents, series = open_documents(None, data=tmp_path), open_series(None, data=tmp_path)
    await demo.load(documents, SecretCipher.store_plain_text())
    async with served(create_app(Settings(data=tmp_path), documents=documents, series=series)) as url:
        command = ["node", "run.mjs", f"{url}/graphql", str(tmp_path / "configuration.mjs")]
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=graphql_clients, capture_output=True, text=True, timeout=60
        )
    await documents.close()
    await series.close()
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_two_components_send_one_request_each(outcome: Any) -> None:
    expected = {"requests": 2, "afterMutation": 3}
    assert outcome["apollo"] == {**expected, "shown": {"first": "Apollo", "second": "Apollo"}}
    assert outcome["urql"] == {**expected, "shown": {"first": "urql", "second": "urql"}}
    assert outcome["warnings"] == []
    # Without the policies, Apollo's components request the same again and again.
    assert outcome["withoutPolicies"]["requests"] > 2
    # The first client sends the hash and then the document, the next one only the hash.
    assert [round_["requests"] for round_ in outcome["persisted"]] == [2, 1]


async def test_each_client_sends_a_key_as_the_documentation_shows(
    graphql_clients: Path, tmp_path: Path
) -> None:
    documents, series = open_documents(None, data=tmp_path), open_series(None, data=tmp_path)
    await demo.load(documents, SecretCipher.store_plain_text())
    spec = KeySpec("dashboard", ("ferro-works",), Role.VIEWER)
    _, key = await create_api_key(documents.database(documents.default), spec, created_by="test")
    (tmp_path / "node_modules").symlink_to(graphql_clients / "node_modules")
    scripts = {b.options[0]: b.text for b in read_blocks(CLIENTS) if b.language == "js" and b.options}
    assert set(scripts) == {"apollo", "urql"}
    outputs = {}
    async with served(create_app(Settings(data=tmp_path), documents=documents, series=series)) as url:
        for name, text in scripts.items():
            script = tmp_path / f"{name}.mjs"
            script.write_text(text.replace("http://127.0.0.1:3000", url))
            outputs[name] = await asyncio.to_thread(
                subprocess.run,
                ["node", str(script)],
                env={**os.environ, "DASHBOARD_KEY": key},
                capture_output=True,
                text=True,
                timeout=60,
            )
    await documents.close()
    await series.close()
    for name, done in outputs.items():
        assert done.returncode == 0, f"{name}: {done.stderr}"
        assert "role: 'viewer'" in done.stdout
        assert "organizations: [ 'ferro-works' ]" in done.stdout
