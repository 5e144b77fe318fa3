"""Requests made at random from the OpenAPI document: no failure of the server, nothing undocumented."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from compat_rest.app import create_app
from schema.server.settings import Settings
from stores.demo import plant as demo
from tests.serving import served

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("phases", "examples", "at_least"),
    [
        ("examples,fuzzing", 2, 100),
        pytest.param("coverage,fuzzing", 15, 1000, marks=pytest.mark.long),
    ],
)
async def test_random_requests_are_answered_as_documented(
    tmp_path: Path, phases: str, examples: int, at_least: int
) -> None:
    app = create_app(Settings(data=tmp_path))
    await demo.load(app.state.app_state.documents, app.state.app_state.cipher)
    async with served(app) as url:
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/api/openapi.json"]
        command += ["--checks", CHECKS, "--phases", phases, "--max-examples", str(examples)]
        command += ["--seed", os.environ["SYNC_TEST_SEED"]]
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, timeout=600, cwd=tmp_path
        )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    generated = re.search(r"(\d+) generated", done.stdout)
    assert generated is not None
    assert int(generated[1]) >= at_least
