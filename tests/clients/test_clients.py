"""Apollo Client and urql with the configuration of docs/clients.md, as two components use them."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from compat_rest.app import create_app
from schema.server.settings import Settings
from stores.demo import plant as demo
from stores.entities.cipher import SecretCipher
from stores.opening import open_documents, open_series
from tests.docs.markdown import PROJECT, read_blocks
from tests.serving import served


@pytest.fixture
async def outcome(graphql_clients: Path, tmp_path: Path) -> Any:
    """What the clients did with the demo plant: counts of requests, what they showed, and warnings."""
    [configuration] = [b for b in read_blocks(PROJECT / "docs" / "clients.md") if b.language == "js"]
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
