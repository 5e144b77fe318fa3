"""The dashboard and the alert rules name metrics and labels that the gateway exports."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from compat_rest.app import create_app
from schema.engine.errors import REST_STATUS
from schema.server.settings import Settings
from stores.opening import open_documents, open_series
from tests.docs.markdown import PROJECT

DASHBOARD = PROJECT / "docs" / "deploy" / "grafana-dashboard.json"
ALERTS = PROJECT / "docs" / "deploy" / "alerts.yaml"
OF_PROMETHEUS = {"up": {"job", "instance"}}
OF_EVERY_METRIC = {"job", "instance"}
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
SELECTOR = re.compile(r"([a-z_]\w*)\s*\{([^}]*)\}")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"([^\"]*)\"")
GROUPING = re.compile(r"\b(by|without)\s*\(([^)]*)\)")
NAME = re.compile(r"[A-Za-z_]\w*(?!\w|\s*\()")
OPERATORS = {"and", "or", "unless", "bool", "offset", "by", "without", "on", "ignoring"}


def list_panel_queries() -> list[str]:
    """The queries of the dashboard, with Grafana's variables."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def list_rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def list_queries() -> list[str]:
    """Every query of the dashboard and of the rules, without their times."""
    queries = (*list_panel_queries(), *(rule["expr"] for rule in list_rules()))
    return [re.sub(r"\[[^]]*\]", "", query) for query in queries]


async def scrape(folder: Path) -> list[Metric]:
    """The metrics of a gateway that has answered the graph and an old route, and refused a query."""
    documents, series = open_documents(None, data=folder), open_series(None, data=folder)
    app = create_app(Settings(data=folder), documents=documents, series=series)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        await client.post("/graphql", json={"query": "{ organizations { nodes { name } } }"})
        await client.post("/graphql", json={"query": "{a" * 30 + "}" * 30})
        await client.get("/api/organizations")
        text = (await client.get("/metrics")).text
    await documents.close()
    await series.close()
    return list(text_string_to_metric_families(text))


@pytest.fixture
async def exported(tmp_path: Path) -> dict[str, set[str]]:
    """The labels of everything that a query can name."""
    families = await scrape(tmp_path)
    labels: dict[str, set[str]] = dict(OF_PROMETHEUS)
    for family in families:
        for suffix in SUFFIXES[family.type]:
            names = {label for sample in family.samples for label in sample.labels} | OF_EVERY_METRIC
            labels[family.name + suffix] = names
    return labels


def list_names(query: str) -> Iterator[str]:
    """The names of the metrics of a query: what is no function, label, number or operator."""
    plain = GROUPING.sub("", SELECTOR.sub(r"\1 ", query))
    return (name for name in NAME.findall(plain) if name not in OPERATORS)


async def test_every_query_names_metrics_and_labels_that_exist(exported: dict[str, set[str]]) -> None:
    queries = list_queries()
    for query in queries:
        names = set(list_names(query))
        assert names, query
        assert names <= set(exported), query
        for name, matchers in SELECTOR.findall(query):
            assert {label for label, _ in MATCHER.findall(matchers)} <= exported[name], query
        grouped = {label.strip() for _, labels in GROUPING.findall(query) for label in labels.split(",")}
        assert grouped <= set().union(*(exported[name] for name in names)), query


async def test_every_metric_of_the_gateway_is_shown(exported: dict[str, set[str]]) -> None:
    shown = {
        re.sub("_(bucket|sum|count)$", "", name) for query in list_queries() for name in list_names(query)
    }
    own = {re.sub("_(bucket|sum|count)$", "", name) for name in exported if name.startswith("sync_gateway_")}
    assert {name for name in own - shown if not name.endswith("_created")} == set()


def test_the_codes_of_alerts_exist() -> None:
    codes = [
        code
        for query in list_queries()
        for label, value in MATCHER.findall(query)
        if label == "code"
        for code in value.split("|")
    ]
    assert codes
    assert set(codes) <= {*REST_STATUS, "OK"}


def test_every_panel_says_where_it_is_and_what_it_shows() -> None:
    board: dict[str, Any] = json.loads(DASHBOARD.read_text())
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        area = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(area["x"], area["x"] + area["w"])
            for y in range(area["y"], area["y"] + area["h"])
        }
        assert not cells & taken, panel["title"]
        assert area["x"] + area["w"] <= 24, panel["title"]
        taken |= cells
        assert panel["title"]
        assert panel["targets"]
    variables = {variable["name"] for variable in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]+)", json.dumps(panels)))
    assert used <= variables


def test_every_alert_says_what_to_do() -> None:
    [group] = yaml.safe_load(ALERTS.read_text())["groups"]
    for rule in group["rules"]:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert set(rule["annotations"]) == {"summary", "description"}
        assert rule["labels"]["severity"] in {"warning", "critical"}
