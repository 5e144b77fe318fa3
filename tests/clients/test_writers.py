"""Points written by the clients of InfluxDB for Node.js, of its versions 1 and 2."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from resolvers.api_keys import KeySpec, create_api_key
from schema.server.app import create_app
from schema.server.settings import Settings
from stores.contracts.samples import Sample
from stores.contracts.series_queries import SeriesQuery
from tests.serving import served

TIME = 1_772_452_800_125_000_000


@pytest.mark.slow
async def test_the_clients_for_node_write_and_report_what_is_wrong(
    point_writers: Path, tmp_path: Path
) -> None:
    app = create_app(Settings(data=tmp_path))
    state = app.state.app_state
    keys = state.documents.database(state.documents.default)
    _, key = await create_api_key(keys, KeySpec("collector", ("acme",), ingest=True), created_by="test")
    async with served(app) as url:
        done = await asyncio.to_thread(
            subprocess.run,
            ["node", "run.mjs", url, key],
            cwd=point_writers,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        query = SeriesQuery("state", ["power", "n"], ["NODE-1", "NODE-2"])
        latest = await state.series.store.database("organization/acme").latest(query)
    outcome: dict[str, Any] = json.loads(done.stdout)
    assert latest == {
        "NODE-1": {"power": Sample(TIME, True)},
        "NODE-2": {"power": Sample(TIME, True), "n": Sample(TIME, 7)},
    }
    assert [name for name, result in outcome.items() if result == "written"] == [
        "influxdb2",
        "influxdb2 gzip",
        "influxdb1",
    ]
    assert outcome["influxdb2 conflict"]["status"] == 422
    assert "field type conflict" in outcome["influxdb2 conflict"]["message"]
    assert outcome["influxdb2 without a key"]["status"] == 401
    assert "database not found" in outcome["influxdb1 unknown"]["message"]
