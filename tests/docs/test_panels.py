"""Each panel of docs/time-series.md is one short query with the same answer and calls on every store."""

import math
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from stores.contracts.samples import MACHINE, SECOND, Point
from stores.contracts.series import WritableSeriesStore
from stores.demo import plant as demo
from stores.demo.reports import ZONE
from stores.entities.cipher import SecretCipher
from stores.opening import open_documents, open_series
from tests.contract.series_stores import STORES, Written, written
from tests.docs.panels import NOW, SILENT, Panel, PlantAtNow, list_panels, list_points

__all__ = ["written"]

PANELS = {panel.name: panel for panel in list_panels()}
MAX_CHARACTERS = 600
# Of each panel, how often windows or changes are read from the store: first, and when it is refreshed
READS = {
    "fleet": (1, 1),
    "timeline": (1, 1),
    "oee-shift": (2, 2),
    "oee-month": (6, 4),
    "alarms": (3, 2),
    "weeks": (8, 5),
    "energy": (4, 2),
    "stale": (0, 0),
    "all": (13, 9),
}
BATCH = 10_000
TODAY = datetime.fromtimestamp(NOW // SECOND, ZONE).replace(hour=0, minute=0)
CYCLE_S = 180  # `idealCycleTime` of the panels

pytestmark = pytest.mark.slow


@cache
def get_points() -> list[Point]:
    return list(list_points())


@asynccontextmanager
async def open_embedded(folder: Path) -> AsyncIterator[PlantAtNow]:
    """The plant over an embedded store, which has its points."""
    documents, series = open_documents(None, data=folder), open_series(None, data=folder)
    assert isinstance(series, WritableSeriesStore)
    await demo.load(documents, SecretCipher.store_plain_text())
    for batch in _batch(get_points()):
        assert not any(await series.write("plant", batch))
    try:
        yield PlantAtNow(folder, documents, series, "plant")
    finally:
        await series.close()
        await documents.close()


def _batch(points: list[Point]) -> Iterator[list[Point]]:
    return (points[index : index + BATCH] for index in range(0, len(points), BATCH))


def test_each_panel_is_one_short_query() -> None:
    assert list(PANELS) == list(READS)
    lengths = {name: len(" ".join(panel.query.split())) for name, panel in PANELS.items()}
    assert {name: length for name, length in lengths.items() if length >= MAX_CHARACTERS} == {}


async def test_the_answers_are_those_of_the_points(tmp_path: Path) -> None:
    async with open_embedded(tmp_path) as plant:
        responses = {name: await _ask(plant, panel) for name, panel in PANELS.items()}
        for panel in PANELS.values():  # the calls are the same for two machines
            shorter = panel.query.replace("first: 100", "first: 2")
            await _ask_once(plant, replace(panel, query=shorter))
    _check_fleet(responses["fleet"]["application"], responses["stale"]["organization"]["devices"])
    _check_timeline(responses["timeline"]["application"])
    _check_oee(responses["oee-shift"]["application"], responses["oee-month"]["device"]["performance"])
    _check_alarms(responses["alarms"]["organization"]["alarmSummary"])
    _check_weeks(responses["weeks"]["device"])
    _check_energy(responses["energy"]["application"])
    _check_parts(responses)


@pytest.mark.parametrize("written", STORES[1:], indirect=True)
async def test_servers_answer_as_the_embedded_store_does(written: Written, tmp_path: Path) -> None:
    async with open_embedded(tmp_path) as embedded:
        documents = open_documents(None, data=tmp_path)
        for batch in _batch(get_points()):
            await written.put(*batch)
        plant = PlantAtNow(tmp_path, documents, written.store, written.series.database)
        for panel in PANELS.values():
            _compare(await _ask(plant, panel), await _ask_once(embedded, panel), panel.name)
        await documents.close()


async def _ask(plant: PlantAtNow, panel: Panel) -> Any:
    """The answer of a panel, which is repeated as a refresh does: that reads only what is not closed."""
    answer = await _ask_once(plant, panel)
    reads = _count_reads_of_windows(plant)
    assert await _ask_once(plant, panel) == answer
    assert (reads, _count_reads_of_windows(plant)) == READS[panel.name], panel.name
    return answer


async def _ask_once(plant: PlantAtNow, panel: Panel) -> Any:
    plant.reads.calls.clear()
    answer, calls = await plant.ask(panel.query, panel.variables)
    assert _summarize(calls) == panel.calls, panel.name
    return answer


def _count_reads_of_windows(plant: PlantAtNow) -> int:
    return sum(call.startswith(("areas", "changes", "counters")) for call in plant.reads.calls)


def _summarize(calls: list[str]) -> list[str]:
    """The calls in dictionary order, because those that do not wait for each other have no order."""
    return [call if n == 1 else f"{call} ({n} times)" for call, n in sorted(Counter(calls).items())]


def _compare(value: Any, expected: Any, path: str) -> None:
    """Compare answers whose numbers differ by the rounding of sums only."""
    if isinstance(expected, dict):
        assert value.keys() == expected.keys(), path
        for key in expected:
            _compare(value[key], expected[key], f"{path}.{key}")
    elif isinstance(expected, list):
        assert len(value) == len(expected), path
        for index, item in enumerate(expected):
            _compare(value[index], item, f"{path}.{index}")
    elif isinstance(expected, float):
        assert math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-9), path
    else:
        assert value == expected, path


def _list(measurement: str, field: str, machine: str | None = None) -> list[tuple[str, int, Any]]:
    """Machine, time and value of the samples of a field."""
    return [
        (name, point.time, point.fields[field])
        for point in get_points()
        if point.measurement == measurement and field in point.fields
        for name in (dict(point.tags)[MACHINE],)
        if machine is None or name == machine
    ]


def _at(days: int, hour: int = 0, minute: int = 0) -> int:
    """A local time of a day before today, in nanoseconds since 1970."""
    moment = (TODAY - timedelta(days)).replace(hour=hour, minute=minute)
    return int(moment.timestamp()) * SECOND


def _count_good_pieces(machine: str, *planned: tuple[int, int]) -> int:
    """The pieces without scrap that a machine of one spindle made in some stretches of time."""
    scrap = [(time, value) for _, time, value in _list("production", "pieces_scrapped", machine)]
    good, before = 0, 0
    for time, scrapped in sorted(scrap):
        is_scrap = scrapped > before
        before = scrapped
        good += any(start < time <= stop for start, stop in planned) and not is_scrap
    return good


def _check_fleet(application: Any, stale: Any) -> None:
    last: dict[str, str] = {}
    for machine, _, execution in sorted(_list("state", "execution"), key=lambda sample: sample[1]):
        last[machine] = execution
    shown = {_id(node["name"]): node["status"]["execution"] for node in application["devices"]["nodes"]}
    assert shown == {machine: last[machine] for machine in shown}
    assert application["deviceCount"] == len(shown) == 18
    counts = {count["execution"]: count["count"] for count in application["statusCounts"]}
    assert counts == Counter(shown.values())
    for node in application["devices"]["nodes"]:
        assert node["status"]["stale"] == (_id(node["name"]) in SILENT)
        assert sum(state["share"] for state in node["states"]["durations"]) == pytest.approx(1)
    assert [_id(node["name"]) for node in stale["nodes"]] == list(SILENT)


def _id(name: str) -> str:
    """The machine id of a device of the demo plant: `LATHE-01` is `Lathe 1`."""
    kind, _, number = name.partition(" ")
    return f"{kind.upper()}-{int(number):02}"


def _check_timeline(application: Any) -> None:
    start, stop = _at(0, 6), _at(0, 14)
    samples = sorted(_list("state", "execution", "LATHE-01"), key=lambda sample: sample[1])
    values = [value for _, time, value in samples if start <= time < stop]
    changes = [value for before, value in zip([None, *values], values, strict=False) if value != before]
    [states] = [node["states"] for node in application["devices"]["nodes"] if node["name"] == "Lathe 1"]
    assert [span["value"] for span in states["execution"]] == changes
    assert (states["start"], states["stop"]) == ("2026-04-01T04:00:00.000Z", "2026-04-01T12:00:00.000Z")
    assert [window["shift"] for window in states["windows"]] == ["Early"]


def _check_oee(application: Any, month: Any) -> None:
    """The figures of OEE multiplied are the ideal time of the good pieces divided by the planned time."""
    early = (_at(0, 6), _at(0, 10)), (_at(0, 10, 30), _at(0, 14))
    shown = {_id(node["name"]): node["performance"]["oee"] for node in application["devices"]["nodes"]}
    for machine in ("LATHE-01", "LATHE-02", "MILL-01"):
        assert shown[machine] == pytest.approx(_count_good_pieces(machine, *early) * CYCLE_S / (7.5 * 3600))
    windows = {window["start"]: window["oee"] for window in month["windows"] if window["complete"]}
    for days in (1, 2, 5, 6):  # on weekdays, before and after the clocks change
        late = (_at(days, 14), _at(days, 18)), (_at(days, 18, 30), _at(days, 22))
        early = (_at(days, 6), _at(days, 10)), (_at(days, 10, 30), _at(days, 14))
        oee = _count_good_pieces("LATHE-01", *early, *late) * CYCLE_S / (15 * 3600)
        assert windows[_show(_at(days))] == pytest.approx(oee)


def _show(time: int) -> str:
    return f"{datetime.fromtimestamp(time // SECOND, UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def _check_alarms(summaries: Any) -> None:
    counts: Counter[str] = Counter()
    seconds: dict[str, float] = defaultdict(float)
    active: dict[str, tuple[str, int]] = {}
    for machine, time, value in sorted(_list("events", "event_value"), key=lambda sample: sample[1]):
        if value != "NONE" and not value.startswith("T"):
            counts[value] += 1
            active[machine] = (value, time)
        elif value == "NONE":
            text, start = active.pop(machine)
            seconds[text] += (time - start) / SECOND
    top = sorted(counts, key=lambda text: (-counts[text], -seconds[text]))[:5]
    assert [summary["value"] for summary in summaries] == top
    assert [summary["count"] for summary in summaries] == [counts[text] for text in top]
    assert [summary["seconds"] for summary in summaries] == pytest.approx([seconds[text] for text in top])


def _check_weeks(device: Any) -> None:
    pieces = [time for _, time, _ in _list("production", "pieces_produced", "LATHE-01")]
    week = 7 * 24 * 3600 * SECOND - 3600 * SECOND  # the clocks went forward in between
    assert device["pieces"]["increase"] == sum(_at(2) < time <= NOW for time in pieces)
    assert device["before"]["increase"] == sum(_at(9) < time <= NOW - week for time in pieces)
    for hours in (device["hours"], device["hours"]["compared"]):
        assert hours["numbers"] == pytest.approx([16, 16, 28 / 3], abs=1e-3)


def _check_energy(application: Any) -> None:
    [series] = [node["series"] for node in application["devices"]["nodes"] if node["name"] == "Meter 1"]
    samples = sorted((time, value) for _, time, value in _list("energy", "kilowatts", "METER-01"))
    for days in (1, 3):  # the latter has 23 hours
        start, stop = _at(days), _at(days - 1)
        energy = sum(
            value * max(0, min(after, stop) - max(time, start)) / SECOND / 3600
            for (time, value), (after, _) in pairwise(samples)
        )
        index = series["times"].index(_show(start))
        assert series["numbers"][index] == pytest.approx(energy)
        assert series["complete"][index]


def _check_parts(responses: dict[str, Any]) -> None:
    """The query of everything answers what the panels do."""
    application = responses["all"]["application"]
    values = [summary["value"] for summary in application["alarmSummary"]]
    assert values == [summary["value"] for summary in responses["alarms"]["organization"]["alarmSummary"]]
    for node, alone in zip(
        application["devices"]["nodes"], responses["timeline"]["application"]["devices"]["nodes"], strict=True
    ):
        spans = [(span["value"], span["start"]) for span in alone["states"]["execution"]]
        assert [(span["value"], span["start"]) for span in node["states"]["execution"]] == spans
    for node, alone in zip(
        application["devices"]["nodes"],
        responses["oee-shift"]["application"]["devices"]["nodes"],
        strict=True,
    ):
        assert node["performance"]["windows"][-2]["oee"] == pytest.approx(alone["performance"]["oee"])
    [entry] = responses["all"]["series"]
    assert entry["series"]["numbers"][-1] == pytest.approx(
        next(
            node["series"]["numbers"][-1]
            for node in responses["energy"]["application"]["devices"]["nodes"]
            if node["name"] == "Meter 1"
        )
    )
