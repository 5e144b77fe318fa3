"""A real Prometheus accepts the rules and the dashboard, and their queries find what a gateway exports."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from compat_rest.app import create_app
from schema.server.settings import Settings
from stores.opening import open_documents, open_series
from tests.docs.test_monitoring import ALERTS, list_panel_queries, list_rules
from tests.servers.process import free_port
from tests.serving import served

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("promtool") is None or shutil.which("prometheus") is None,
        reason="Prometheus is not installed",
    ),
]
PATIENCE_S = 60.0
OF_GATEWAY = 'job="sync-gateway", instance="g"'
# By metric: what a gateway in trouble has, and a healthy one. `a+bxn` begins at a and grows by b n times.
SERIES = {
    "up": ("0x30", "1x30"),
    'sync_gateway_store_suspended{store="series"}': ("1x30", "0x30"),
    'sync_gateway_store_writable{store="documents"}': ("0x30", "1x30"),
    'sync_gateway_requests_total{code="UNAVAILABLE"}': ("0+5x30", "0+1x30"),
    'sync_gateway_requests_total{code="OK"}': ("0+100x30", "0+100x30"),
    'sync_gateway_request_seconds_bucket{le="0.1"}': ("0+50x30", "0+100x30"),
    'sync_gateway_request_seconds_bucket{le="5.0"}': ("0+100x30", "0+100x30"),
    'sync_gateway_request_seconds_bucket{le="+Inf"}': ("0+100x30", "0+100x30"),
    'sync_gateway_limits_hit_total{limit="depth"}': ("0+60x30", "0+1x30"),
    'sync_gateway_event_loop_lag_seconds_bucket{le="0.1"}': ("0+50x30", "0+100x30"),
    'sync_gateway_event_loop_lag_seconds_bucket{le="1.0"}': ("0+100x30", "0+100x30"),
    'sync_gateway_event_loop_lag_seconds_bucket{le="+Inf"}': ("0+100x30", "0+100x30"),
    "process_resident_memory_bytes": ("1700000000x30", "300000000x30"),
}
NO_FAILURES = 'store_calls_total{job=~"$job", instance=~"$instance", code!="OK"}'  # no store fails here
FIRING = 'count by (alertname) (ALERTS{alertstate="firing"})'


def _make_rule_test(alerts: list[str], *, in_trouble: bool) -> dict[str, Any]:
    """After 25 minutes, exactly these alerts fire."""
    series = [
        {
            "series": _add_labels(name, OF_GATEWAY),
            "values": values[not in_trouble],
        }
        for name, values in SERIES.items()
    ]
    samples = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in alerts]
    query = {"expr": FIRING, "eval_time": "25m", "exp_samples": samples}
    return {"interval": "1m", "input_series": series, "promql_expr_test": [query]}


def _add_labels(name: str, labels: str) -> str:
    return f"{name[:-1]}, {labels}}}" if name.endswith("}") else f"{name}{{{labels}}}"


def test_each_alert_fires_when_it_should_and_not_otherwise(tmp_path: Path) -> None:
    alerts = [rule["alert"] for rule in list_rules()]
    tests = [_make_rule_test(alerts, in_trouble=True), _make_rule_test([], in_trouble=False)]
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "tests": tests}))
    for command in (["check", "rules", str(ALERTS)], ["test", "rules", str(file)]):
        done = subprocess.run(["promtool", *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[str]:
    """A Prometheus that scrapes one gateway: its URL."""
    port = free_port()
    scrape = {"job_name": "sync-gateway", "static_configs": [{"targets": [target]}]}
    config = {"global": {"scrape_interval": "500ms"}, "rule_files": [str(ALERTS)], "scrape_configs": [scrape]}
    file = folder / "prometheus.yaml"
    file.write_text(yaml.safe_dump(config))
    options = [f"--config.file={file}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    command = ["prometheus", *options, f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    process = subprocess.Popen(command)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _fill_in(query: str) -> str:
    """The query as Grafana sends it."""
    values = {"$job": "sync-gateway", "$instance": ".*", "$__rate_interval": "10s", "$__range": "5m"}
    for name, value in values.items():
        query = query.replace(name, value)
    return query


async def _send_requests(client: httpx.AsyncClient) -> None:
    await client.post("/graphql", json={"query": "query A { organizations { nodes { name } } }"})
    await client.post("/graphql", json={"query": "{a" * 30 + "}" * 30})
    await client.get("/api/organizations")


async def test_every_query_of_the_dashboard_finds_data(tmp_path: Path) -> None:
    documents, series = open_documents(None, data=tmp_path), open_series(None, data=tmp_path)
    app = create_app(Settings(data=tmp_path), documents=documents, series=series)
    async with served(app) as url, httpx.AsyncClient(trust_env=False, base_url=url) as client:
        with prometheus(tmp_path, url.removeprefix("http://")) as server:

            async def has_data(query: str) -> bool:
                try:
                    answer = await client.get(f"{server}/api/v1/query", params={"query": query})
                except httpx.TransportError:  # it starts
                    return False
                if answer.status_code == 503:  # likewise
                    return False
                assert answer.status_code == 200, (query, answer.text)
                return bool(answer.json()["data"]["result"])

            waiting = [_fill_in(query) for query in list_panel_queries() if NO_FAILURES not in query]
            async with asyncio.timeout(PATIENCE_S):
                while waiting:
                    await _send_requests(client)
                    waiting = [query for query in waiting if not await has_data(query)]
    await documents.close()
    await series.close()
