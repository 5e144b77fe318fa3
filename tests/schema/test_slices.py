"""Long work is done in slices: what it returns is the same, and it pauses for other requests."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvers import turns
from resolvers.series import states
from schema.engine import long_answers, sliced_execution
from schema.engine.long_answers import prepare_json
from schema.engine.plans import completion, run, selections
from schema.engine.scalars import to_json
from schema.server.execution_gate import RequestTurn
from stores.contracts.errors import LimitExceeded
from stores.contracts.lazy_lists import ObjectColumns
from stores.contracts.records import join_lists
from stores.contracts.samples import SECOND, Sample
from stores.contracts.series import WritableSeriesStore
from tests.schema.client import Client
from tests.schema.machines import NOW, iso, put, write

MINUTE = 60 * SECOND
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
)
DEVICES = """query($o: String!, $first: Int) { application(organizationId: $o, applicationId: "cnc") {
    devices(first: $first) { nodes { machineId name connectors { name } status { power } } } } }"""


class Pauses:
    """Counts pauses; it ends the work at the pause `last`."""

    def __init__(self, last: int | None = None) -> None:
        self.count, self._last = 0, last

    async def pause(self) -> None:
        self.count += 1
        if self.count == self._last:
            raise TimeoutError


@given(VALUES, st.integers(1, 20))
@settings(max_examples=60, deadline=None)
async def test_the_json_of_pieces_is_that_of_the_whole(value: Any, piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_answers, "PIECE", piece)
        assert to_json(await prepare_json(value, 10**9, Pauses().pause)) == to_json(value)


async def test_long_answers_pause_and_short_ones_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_answers, "SLICE_S", 0.0)
    short, pauses = {"a": [1, 2, 3]}, Pauses()
    assert await prepare_json(short, 10**9, pauses.pause) is short
    assert pauses.count == 0
    await prepare_json([{"points": list(range(1000))}] * 1000, 10**9, pauses.pause)
    assert pauses.count > 10


async def test_an_answer_that_becomes_too_long_is_not_encoded_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(long_answers, "SLICE_S", 0.0)
    pauses = Pauses()
    with pytest.raises(LimitExceeded) as raised:
        await prepare_json(["a" * 100] * 1_000_000, 1_000_000, pauses.pause)
    assert raised.value.name == "answer_bytes"
    assert pauses.count < 50  # of more than 500


async def test_lists_are_completed_in_slices(
    client: Client, plant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By graphql-core and by a plan: the same answer and the same calls, with pauses in between."""
    whole = await client.run(DEVICES, o=plant, first=100)
    calls = client.calls
    monkeypatch.setattr(sliced_execution, "ITEMS_PER_SLICE", 1)
    monkeypatch.setattr(selections, "OBJECTS_PER_SLICE", 1)
    monkeypatch.setattr(run, "SLICE_S", -1)
    pauses = Pauses()
    monkeypatch.setattr(RequestTurn, "pause", lambda turn: pauses.pause())
    for _ in range(2):  # a new document, which graphql-core executes first
        before = pauses.count
        assert await client.run(f"# again\n{DEVICES}", o=plant, first=100) == whole
        assert client.calls == calls
        assert pauses.count > before


@pytest.mark.parametrize("selected", ["times", "integers", "points { time value }"])
async def test_long_columns_of_a_plan_pause(
    client: Client, plant: str, series: WritableSeriesStore, selected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(series, [put("process", f"M{n}", NOW, speed=1.5) for n in range(3)])
    query = f"""query($o: String!) {{ application(organizationId: $o, applicationId: "cnc") {{ devices {{
        nodes {{ series(measurement: "process", field: "speed", range: {{last: "P30D"}}) {{
            {selected} }} }} }} }} }}"""
    whole = await client.run(query, o=plant)
    assert await client.run(query, o=plant) == whole  # by a plan
    pauses = Pauses()
    monkeypatch.setattr(RequestTurn, "pause", lambda turn: pauses.pause())
    await client.run(query, o=plant)
    before, pauses.count = pauses.count, 0
    monkeypatch.setattr(completion, "LEAVES_PER_SLICE", 1)
    monkeypatch.setattr(run, "SLICE_S", -1)
    assert await client.run(query, o=plant) == whole
    assert pauses.count > before


async def test_states_of_several_machines_pause(
    client: Client, plant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = """query($o: String!) { application(organizationId: $o, applicationId: "cnc") { devices { nodes {
        states(range: {last: "P9D"}) { execution { value start } durations { value seconds } } } } } }"""
    whole = await client.run(query, o=plant)
    assert await client.run(query, o=plant) == whole  # by a plan
    pauses = Pauses()
    monkeypatch.setattr(RequestTurn, "pause", lambda turn: pauses.pause())
    monkeypatch.setattr(selections, "OBJECTS_PER_SLICE", 1)
    for module, name in ((states, "CHANGES_PER_SLICE"), (run, "SLICE_S")):
        before, pauses.count = pauses.count, 0
        monkeypatch.setattr(module, name, -1)
        assert await client.run(query, o=plant) == whole
        assert pauses.count > before


async def test_errors_in_slices_have_their_paths(
    client: Client, plant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = """query($o: String!) { application(organizationId: $o, applicationId: "cnc") { devices {
        nodes { series(measurement: "process", field: "speed", range: {last: "P9999D"}) { count } } } } }"""
    whole = await client.send(query, o=plant)
    monkeypatch.setattr(sliced_execution, "ITEMS_PER_SLICE", 1)
    sliced = await client.send(f"# again\n{query}", o=plant)
    assert len(whole["errors"]) > 1
    assert [error["path"] for error in sliced["errors"]] == [error["path"] for error in whole["errors"]]


LONG = """query($o: String!, $m: [MachineRef!]!, $r: TimeRange!) {
  seriesRows(machines: $m, fields: [{measurement: "production", field: "pieces_produced"}],
    range: $r) { machineId time value }
  device(organizationId: $o, applicationId: "cnc", machineId: "M1") {
    states(range: $r, every: {duration: "PT10M"}) { execution { value start end carriedIn }
      durations { value seconds } windows { states { value share } } }
    alarms(range: $r) { nodes { value start } } alarmSummary(by: VALUE) { value count }
    performance(pieces: {measurement: "production", field: "pieces_produced"}, range: $r) { oee pieces }
    counter(measurement: "production", field: "pieces_produced", range: $r, every: {duration: "PT10M"},
      by: ["lane"]) { increase windows { increase rate } groups { increase } }
    samples: series(measurement: "production", field: "pieces_produced", range: $r, by: ["lane"],
      maxPoints: 9) { truncated points { time value } groups { tags { value } points { value } } }
    integral: series(measurement: "production", field: "pieces_produced", range: $r,
      aggregate: INTEGRAL, every: {duration: "PT10M"}) { numbers } } }"""


async def test_what_a_thread_computes_is_the_same(
    client: Client, plant: str, series: WritableSeriesStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for machine in ("M0", "M1"):
        for n in range(40):
            time, lane = NOW - (40 - n) * MINUTE, "ab"[n % 2]
            points = [
                put("production", machine, time, {"lane": lane}, pieces_produced=n),
                put("state", machine, time, {"lane": lane}, execution=("ACTIVE", "READY")[n // 2 % 2]),
                put("events", machine, time, {"event_class": "ALARM"}, event_value=("NONE", "HOT")[n % 2]),
            ]
            await write(series, points)
    machines = [
        {"organizationId": plant, "applicationId": "cnc", "machineId": machine} for machine in ("M0", "M1")
    ]
    past = {"from": iso(NOW - 60 * MINUTE), "to": iso(NOW)}
    whole = await client.run(LONG, o=plant, m=machines, r=past)
    rows, device = whole["seriesRows"], whole["device"]
    assert [row["value"] for row in rows] == [n for n in range(40) for _ in machines]
    assert len(device["states"]["execution"]) > 20
    assert device["samples"]["truncated"]
    assert len(device["alarms"]["nodes"]) == 20
    monkeypatch.setattr(turns, "THREAD_ITEMS", -1)
    for query in (LONG, f"# again\n{LONG}"):  # by a plan, and by graphql-core
        assert await client.run(query, o=plant, m=machines, r=past) == whole


def test_lists_that_are_made_of_columns() -> None:
    pairs = ObjectColumns(Sample, [3, 1, 2], ["c", "a", "b"])
    both = ObjectColumns.join(Sample, [pairs.order_by(0), ObjectColumns(Sample, [2], ["d"])])
    ordered = both.order_by(0)
    samples = [Sample(1, "a"), Sample(2, "b"), Sample(2, "d"), Sample(3, "c")]
    assert list(ordered) == samples == [ordered[index] for index in range(4)]
    assert ordered[1:3] == samples[1:3]
    assert (len(ordered), ordered[-1], both[0]) == (4, samples[-1], samples[0])
    assert list(join_lists([pairs, pairs])) == [*pairs, *pairs]
