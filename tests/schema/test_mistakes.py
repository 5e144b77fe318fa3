"""Ordinary mistakes in a query cost their field or their request, as BAD_USER_INPUT; nothing is INTERNAL."""

import json
from typing import Any

import pytest

from schema.engine.scalars import to_json
from schema.types.root import schema
from stores.contracts.samples import Point
from stores.contracts.series import WritableSeriesStore
from stores.entities.series_layout import SeriesLayout
from tests.schema.client import Client
from tests.schema.machines import NOW, put, write

RUNS = 3  # the first is executed by graphql-core, the second is compiled, and the third runs the plan
DEVICE = '{ device(organizationId: "o", applicationId: "a", machineId: "m") { %s } }'
MACHINE = '{ machine(machineId: "m") { %s } }'
SERIES = 'series(measurement: "m", field: "f", range: {last: "PT1H"}, %s) { count }'

NULLS = [
    ("query($v: String) " + MACHINE % (SERIES % "timeZone: $v"), "timeZone"),
    ("query($v: Fill) " + MACHINE % (SERIES % "fill: $v"), "fill"),
    ("query($v: Boolean) " + MACHINE % "events(includeFuture: $v) { totalCount }", "includeFuture"),
    (
        "query($v: StateField) " + MACHINE % 'states(range: {last: "PT1H"}) { durations(of: $v) { share } }',
        "of",
    ),
    (
        "query($v: OrderDirection) { legacyDevices(orderBy: {field: NAME, direction: $v}) { totalCount } }",
        "direction",
    ),
    (
        "mutation($v: Boolean) { updateOrganization(input: {organizationId: \"o\", createIfMissing: $v}) "
        "{ organization { name } } }",
        "createIfMissing",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("query", "argument"), NULLS, ids=[argument for _, argument in NULLS])
async def test_null_for_an_argument_with_a_default_names_the_argument(
    client: Client, series: WritableSeriesStore, query: str, argument: str, caplog: pytest.LogCaptureFixture
) -> None:
    state = put("state", "m", NOW, execution="ACTIVE")  # otherwise its states are null, whatever is selected
    await write(series, [state], SeriesLayout().find_location(None).database)
    for _ in range(RUNS):
        error = await client.fail(query, v=None)
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert argument in error["message"]
    assert not [record for record in caplog.records if record.exc_info]


CONDITIONS = [
    "query($f: Boolean = true) { organizations { nodes { name @include(if: $f) } } }",
    "query($f: Boolean = true) { organizations @skip(if: $f) { totalCount } }",
    "query($f: Boolean = true) { ...F @include(if: $f) } fragment F on Query { viewer { subject } }",
    "query($f: Boolean = true) { viewer { ... @skip(if: $f) { subject } } }",
    "query($f: Boolean = true) { organizations { nodes { applications { name @include(if: $f) } } } }",
]


@pytest.mark.parametrize("query", CONDITIONS)
async def test_null_for_a_condition_is_the_same_mistake_each_time(
    client: Client, plant: str, query: str
) -> None:
    responses = [await client.send(query, f=None) for _ in range(RUNS)]
    for response in responses:
        assert response["errors"] == responses[0]["errors"]
        assert {error["extensions"]["code"] for error in response["errors"]} == {"BAD_USER_INPUT"}


ONE_OF = [
    "every: {}",
    'every: {duration: "PT1M", unit: DAY}',
    "every: {duration: null}",
    "every: {unit: null}",
    'every: {duration: "PT1M", unit: null}',
    "every: {unit: $u}",
]


@pytest.mark.parametrize("every", ONE_OF)
async def test_a_one_of_input_has_exactly_one_key(client: Client, every: str) -> None:
    definition = "query($u: CalendarUnit) " if "$u" in every else ""
    for _ in range(RUNS):
        answer = await client.send(definition + MACHINE % (SERIES % every))
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_USER_INPUT"}


@pytest.mark.parametrize("every", [{}, {"duration": "PT1M", "unit": "DAY"}, {"unit": None}, None])
async def test_a_one_of_variable_has_exactly_one_key(client: Client, every: Any) -> None:
    query = "query($e: Every) " + MACHINE % (SERIES % "every: $e")
    for _ in range(RUNS):
        answer = await client.send(query, e=every)
        codes = [error["extensions"]["code"] for error in answer.get("errors", [])]
        assert codes == ([] if every is None else ["BAD_USER_INPUT"])


TIMES = [
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999Z",
    "9999-12-31T23:59:59-14:00",
]


@pytest.mark.parametrize("first", TIMES)
@pytest.mark.parametrize("second", [*TIMES, None])
async def test_the_first_and_the_last_year_are_ordinary_mistakes(
    client: Client, first: str, second: str | None
) -> None:
    fields = (
        'series(measurement: "m", field: "f", range: $r) { start stop count }'
        ' calendar: series(measurement: "m", field: "f", range: $r, every: {unit: MONTH},'
        ' timeZone: "Europe/Berlin") { count } states(range: $r) { start stop durations { share } }'
        ' counter(measurement: "m", field: "f", range: $r) { increase } events(range: $r) { nodes { time } }'
    )
    query = "query($r: TimeRange!) " + MACHINE % fields
    for _ in range(RUNS):
        answer = await client.send(query, r={"from": first, "to": second})
        codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
        assert codes <= {"BAD_USER_INPUT", "LIMIT_EXCEEDED"}


@pytest.mark.parametrize("time", TIMES)
async def test_an_update_under_the_condition_of_any_year_is_a_conflict(
    client: Client, plant: str, time: str
) -> None:
    error = await client.fail(
        'mutation($o: String!, $t: DateTime) { updateDevice(input: {organizationId: $o, applicationId: "cnc",'
        ' machineId: "M0", name: "x", ifUpdatedAt: $t}) { device { name } } }',
        o=plant,
        t=time,
    )
    assert error["extensions"]["code"] in ("CONFLICT", "BAD_USER_INPUT")


async def test_a_mutation_that_fails_leaves_the_one_before_it_in_the_answer(
    client: Client, plant: str
) -> None:
    answer = await client.send(
        """mutation($o: String!) {
          a: createUser(input: {organizationId: $o, email: "a@example.com", name: "A"}) { user { email } }
          b: createUser(input: {organizationId: "none", email: "b@example.com", name: "B"}) { user { email } }
          c: createUser(input: {organizationId: $o, email: "c@example.com", name: "C"}) { user { email } }
        }""",
        o=plant,
    )
    assert answer["data"] == {
        "a": {"user": {"email": "a@example.com"}},
        "b": None,
        "c": {"user": {"email": "c@example.com"}},
    }
    [error] = answer["errors"]
    assert error["path"] == ["b"]
    assert error["extensions"]["code"] == "NOT_FOUND"


async def test_a_field_of_a_payload_that_fails_leaves_the_other_mutations_in_the_answer(
    client: Client, plant: str
) -> None:
    answer = await client.send(
        """mutation($o: String!, $f: Boolean = true) {
          a: createUser(input: {organizationId: $o, email: "a@example.com", name: "A"}) { user { email } }
          b: createUser(input: {organizationId: $o, email: "b@example.com", name: "B"}) {
            user { organization { name @include(if: $f) } } } }""",
        o=plant,
        f=None,
    )
    assert answer["data"] == {"a": {"user": {"email": "a@example.com"}}, "b": {"user": None}}
    [error] = answer["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["b", "user", "organization"], "BAD_USER_INPUT")


async def test_a_sum_beyond_64_bits_is_answered_with_every_digit(
    client: Client, series: WritableSeriesStore
) -> None:
    values = (2**63 - 1, 2**63 - 1, 5)
    points = [
        Point("big", (("machine_id", "A"),), {"v": value}, time) for time, value in enumerate(values, 1)
    ]
    await series.write("machines", points)
    query = """{ viewer { subject } machine(machineId: "A") { series(measurement: "big", field: "v",
      range: {from: "1970-01-01T00:00:00Z", to: "1970-01-01T00:01:00Z"}, every: {duration: "PT1M"},
      aggregate: SUM) { values } } }"""
    for _ in range(RUNS):
        answer = await client.run(query)
        assert answer == {"viewer": {"subject": "open"}, "machine": {"series": {"values": [sum(values)]}}}


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, 10**400, 2**64 - 1, -(2**63), True])
def test_integers_of_any_size_are_encoded(value: int) -> None:
    assert json.loads(to_json({"a": [{"b": value}, (value, None)], "c": 1.5})) == {
        "a": [{"b": value}, [value, None]],
        "c": 1.5,
    }


async def test_a_resolver_that_returns_another_type_is_not_the_clients_mistake(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(schema._schema.type_map["Viewer"], "is_type_of", lambda *_: False)
    for _ in range(RUNS):
        assert await client.code("{ viewer { subject } }") == "INTERNAL"
    assert [record for record in caplog.records if record.exc_info]
