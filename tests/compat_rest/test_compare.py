"""`sync-gateway compare`: two gateways with the same data, and two with different data."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest

from compat_rest.app import create_app
from schema.server.settings import Settings
from tests.compat_rest.test_commands import fails, run
from tests.serving import served

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parent / "examples.jsonl"


@pytest.mark.parametrize("differ", [False, True])
async def test_the_differences_of_two_servers_are_printed(tmp_path: Path, differ: bool) -> None:
    apps = [create_app(Settings(data=tmp_path / name)) for name in ("old", "new")]
    async with served(apps[0]) as old, served(apps[1]) as new:
        if differ:
            async with httpx.AsyncClient() as client:
                await client.put(f"{new}/api/organizations/other", json={"name": "Other"})
        process = await asyncio.to_thread(run, "compare", old, new, str(EXAMPLES))
    assert process.stdout.splitlines()[-1].startswith("90 requests compared, ")
    if differ:
        assert process.returncode == 1
        assert "GET /api/organizations: $: " in process.stdout
    else:
        assert (process.returncode, process.stdout) == (0, "90 requests compared, 0 differences\n")


def test_an_error_of_the_comparison_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text(json.dumps({"request": {"method": "GET"}}) + "\n")
    assert f"{file}:1:" in fails("compare", "http://127.0.0.1:1", "http://127.0.0.1:1", str(file))
    file.write_text(json.dumps({"request": {"method": "GET", "path": "/status"}}) + "\n")
    message = fails("compare", "http://user:demo-only@127.0.0.1:1", "http://127.0.0.1:2", str(file))
    assert "http://127.0.0.1:1/ cannot be reached" in message
    assert "demo-only" not in message
    assert "old is not the URL" in fails("compare", "old", "http://127.0.0.1:1", str(file))
    assert "No such file" in fails("compare", "http://127.0.0.1:1", "http://127.0.0.1:1", "missing.jsonl")
