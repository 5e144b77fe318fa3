"""Requests made at random from the OpenAPI document: no failure of the server, nothing undocumented."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

from compat_rest.app import create_app
from schema.server.settings import Settings
from stores.demo import plant as demo
from tests.serving import served

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance"


async def test_a_thousand_random_requests_are_answered_as_documented(tmp_path: Path) -> None:
    app = create_app(Settings(data=tmp_path))
    await demo.load(app.state.app_state.documents, app.state.app_state.cipher)
    async with served(app) as url:
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/api/openapi.json"]
        command += ["--checks", CHECKS, "--phases", "coverage,fuzzing", "--max-examples", "15"]
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, timeout=300, cwd=tmp_path
        )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    generated = re.search(r"(\d+) generated", done.stdout)
    assert generated is not None
    assert int(generated[1]) > 1000
