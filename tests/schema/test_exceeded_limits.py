"""Each limit that a single request can be over: its error, and that it only warns if it is told to."""

import re
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from resolvers.grants import OPEN, Grant
from schema.server.limit_settings import LimitName, LimitSettings
from tests.docs.limits import FIXED, REASONS, list_limits
from tests.docs.markdown import PROJECT
from tests.schema.client import RESPONSE
from tests.schema.test_limits import KEY, Connect, connect

__all__ = ["connect"]

NESTED = "{ organizations { nodes { applications { organization { applications { name } } } } } }"
WINDOWS = """{ device(organizationId: "%s", applicationId: "cnc", machineId: "M0") { series(measurement: "m",
  field: "f", range: {last: "P2D"}, aggregate: MEAN, every: {duration: "PT1H"}) { count } } }"""
# Of each limit that a single request can be over: the setting, and a request that is.
EXCEEDED: dict[str, tuple[dict[str, Any], str]] = {
    "tokens": (
        {"graphql": {"max_tokens": 10}},
        "{ viewer { subject } viewer { subject } viewer { subject } }",
    ),
    "json_depth": ({"graphql": {"max_json_depth": 4}}, "{ __typename }"),
    "answer_bytes": ({"graphql": {"max_answer_bytes": 1024}}, "{ __schema { types { name } } }"),
    "depth": ({"limits": {"depth": 4}}, NESTED),
    "recursion": ({"limits": {"recursion": 1}}, NESTED),
    "aliases": ({"limits": {"aliases": 1}}, "{ a: __typename b: __typename }"),
    "root_fields": ({"limits": {"root_fields": 1}}, "{ viewer { subject } organizations { totalCount } }"),
    "introspections": (
        {"limits": {"introspections": 1}},
        '{ __schema { description } __type(name: "Query") { name } }',
    ),
    "directives": (
        {"limits": {"directives": 1}},
        "{ a: __typename @skip(if: false) b: __typename @skip(if: false) }",
    ),
    "variables": (
        {"limits": {"variables": 1}},
        "query($a: Int, $b: String) { organizations(first: $a, after: $b) { totalCount } }",
    ),
    "input_values": ({"limits": {"input_values": 1000}}, "{ __typename }"),
    "operations": ({"limits": {"operations": 1}}, "query A { __typename } query B { __typename }"),
    "repetitions": ({"limits": {"repetitions": 1}}, "{ viewer { subject subject subject } }"),
    "selections": (
        {"limits": {"selections": 100, "repetitions": 1000}},
        "{ viewer { " + "subject " * 100 + "} }",
    ),
    "calls": ({"limits": {"calls": 1}}, "{ organizations { totalCount nodes { name } } }"),
    "documents": ({"limits": {"documents": 1}}, "{ organizations { nodes { name } } }"),
    "points": ({"limits": {"points": 1}}, WINDOWS),
    "objects": ({"limits": {"objects": 1}}, "{ organizations { nodes { name } } }"),
    "range_days": ({"series": {"max_range_days": 1}}, WINDOWS),
    "windows": ({"series": {"max_windows": 9}}, WINDOWS),
}
# Limits of bodies, of many requests together and of connections, which have tests of their own
OTHERS = {
    *("body_bytes", "batch", "cost_per_minute", "tenant_cost_per_minute", "concurrent_requests"),
    *("address_requests_per_minute", "request_seconds", "executing", "executing_expensive", "queued"),
    *("memory_bytes", "head_seconds", "body_seconds", "idle_seconds", "write_seconds"),
    *("request_line_bytes", "header_bytes", "unsent_bytes", "connections", "connections_per_address"),
}
EXTRA: dict[str, dict[str, Any]] = {  # members of the request
    "json_depth": {"variables": {"a": [[[[]]]]}},
    "input_values": {"variables": {"a": [1] * 1001}},
    "operations": {"operationName": "A"},
}


def test_every_limit_of_the_docs_is_exceeded_by_a_test() -> None:
    names = {row.name for row, _ in list_limits()}
    assert EXCEEDED.keys() | OTHERS == names
    assert REASONS.keys() <= names  # none of a limit that is gone
    raised = {
        name
        for folder in ("compat_rest", "loaders", "resolvers", "schema", "stores")
        for path in (PROJECT / folder).rglob("*.py")
        for name in re.findall(r'LimitExceeded\(\s*"(\w+)"', path.read_text())
    }
    assert len(raised) > 10
    assert raised <= names | {name for name, _, _ in FIXED}


@pytest.mark.parametrize("limit", EXCEEDED)
async def test_a_request_over_a_limit(connect: Connect, plant: str, limit: str) -> None:
    """The error names the limit, with numbers for callers with a credential; or the limit only warns."""
    settings, query = EXCEEDED[limit]
    body = {"query": query.replace("%s", plant), **EXTRA.get(limit, {})}

    async def send(grant: Grant, settings: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        response = await connect(grant, **settings).http.post(
            "/graphql", json=body, headers={"Accept": RESPONSE}
        )
        return response.status_code, response.json()

    (status, known), (_, stranger) = await send(KEY, settings), await send(OPEN, settings)
    [error], [hidden] = known["errors"], stranger["errors"]
    assert status == (400 if "data" not in known else 200)
    assert (error["extensions"]["code"], error["extensions"]["limit"]) == ("LIMIT_EXCEEDED", limit)
    assert error["extensions"]["maximum"] >= 1
    assert not hidden["extensions"].keys() & {"maximum", "actual"}
    assert str(error["extensions"]["maximum"]) not in hidden["message"]
    if limit in get_args(LimitName):
        section = {**settings.get("limits", {}), "warn_only": [limit]}
        status, passed = await send(KEY, {**settings, "limits": section})
        assert (status, "errors" in passed) == (200, False)
    else:
        with pytest.raises(ValidationError):
            LimitSettings(warn_only=(limit,))  # type: ignore[arg-type]  # it is always enforced
