"""Integrals and means over time in the graph: cases that are calculated by hand."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from stores.contracts.samples import SECOND
from stores.contracts.series import WritableSeriesStore
from tests.schema.client import Client
from tests.schema.machines import HOUR, MINUTE, device, iso, put, refused, write

SIX = int(datetime(2026, 3, 2, 6, tzinfo=UTC).timestamp()) * SECOND
RANGE = 'range: {from: "2026-03-02T06:00:00Z", to: "2026-03-02T08:00:00Z"}'
HOURLY = f'measurement: "energy", field: "power", {RANGE}, every: {{unit: HOUR}}, fill: NULL'


async def ask(client: Client, plant: str, arguments: dict[str, str]) -> Any:
    """Return a series of two hours for each entry: its name, and the arguments beside the range."""
    selection = "\n".join(
        f"{name}: series({HOURLY}, {text}) {{ numbers coverage complete groups {{ numbers }} }}"
        for name, text in arguments.items()
    )
    return await device(client, plant, selection)


async def test_a_step_signal_is_cut_at_the_edges_of_windows(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    """10 kW from 05:50 to 06:30, 20 kW to 07:15, 0 kW to 07:45, then 40 kW until a sample at 08:10."""
    at = {-10: 10, 30: 20, 75: 0, 105: 40, 130: 7}
    await write(series, [put("energy", "M0", SIX + minute * MINUTE, power=kw) for minute, kw in at.items()])
    answer = await ask(
        client,
        plant,
        {
            "hours": "aggregate: INTEGRAL",
            "seconds": "aggregate: INTEGRAL, per: SECOND, signal: STEP",
            "mean": "aggregate: TIME_WEIGHTED_MEAN",
            "gap": 'aggregate: INTEGRAL, maxGap: "PT40M"',
            "shorter": 'aggregate: INTEGRAL, maxGap: "PT39M59S"',
            "shortMean": 'aggregate: TIME_WEIGHTED_MEAN, maxGap: "PT30M"',
            "none": 'aggregate: INTEGRAL, maxGap: "PT1M"',
        },
    )
    assert client.series_calls.count("areas energy power") == 5  # of five different values of `maxGap`
    numbers = {name: series["numbers"] for name, series in answer.items()}
    assert numbers == {
        "hours": [pytest.approx(5 + 10), pytest.approx(5 + 10)],
        "seconds": [pytest.approx(15 * 3600), pytest.approx(15 * 3600)],
        "mean": [pytest.approx(15), pytest.approx(15)],
        # The hole from 06:30 to 07:15 is longer than 40 minutes; that from 05:50 to 06:30 is not.
        "gap": [pytest.approx(5), pytest.approx(10)],
        "shorter": [None, pytest.approx(10)],
        # From 07:15 on only: half an hour of 0 kW and a quarter of 40 kW
        "shortMean": [None, pytest.approx(40 / 3)],
        "none": [None, None],
    }
    assert [answer[name]["coverage"] for name in ("hours", "shorter", "none")] == [1, 0.5, 0]
    assert answer["hours"]["complete"] == [True, True]


async def test_a_linear_signal_is_known_between_samples_only(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    """From 0 kW at 05:30 in a line to 60 kW at 06:30, to 0 kW at 07:30, which is the last sample."""
    at = {-30: 0.0, 30: 60.0, 90: 0.0}
    await write(series, [put("energy", "M0", SIX + minute * MINUTE, power=kw) for minute, kw in at.items()])
    answer = await ask(
        client,
        plant,
        {
            "integral": "aggregate: INTEGRAL, signal: LINEAR",
            "mean": "aggregate: TIME_WEIGHTED_MEAN, signal: LINEAR",
            "gap": 'aggregate: INTEGRAL, signal: LINEAR, maxGap: "PT59M"',
        },
    )
    assert answer["integral"]["numbers"] == pytest.approx([2 * 45 / 2, 15 / 2])
    assert answer["mean"]["numbers"] == pytest.approx([45, 15])
    assert answer["gap"]["numbers"] == [None, None]


async def test_each_tag_set_is_integrated_by_itself(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    """One spindle takes 2 kW until 07:00, another one 10 kW from 06:30 to 07:01; the rest is not known."""
    for minute, spindle, kw in ((-60, "1", 2), (0, "1", 2), (60, "1", 2), (30, "2", 10), (61, "2", 0)):
        await write(series, [put("energy", "M0", SIX + minute * MINUTE, {"spindle": spindle}, power=kw)])
    answer = await ask(
        client,
        plant,
        {
            "sum": 'aggregate: INTEGRAL, maxGap: "PT1H", by: ["spindle"]',
            "mean": 'aggregate: TIME_WEIGHTED_MEAN, maxGap: "PT1H", by: ["spindle"]',
            "second": 'aggregate: INTEGRAL, maxGap: "PT1H", where: [{tag: "spindle", in: ["2"]}]',
        },
    )
    of_second = 10 / 60
    assert answer["sum"]["numbers"] == pytest.approx([2 + 5, of_second])
    assert [group["numbers"] for group in answer["sum"]["groups"]] == [
        [pytest.approx(2), None],
        pytest.approx([5, of_second]),
    ]
    # 2 kW for an hour and 10 kW for half an hour: the mean over the time of both
    assert answer["mean"]["numbers"] == pytest.approx([(2 * 60 + 10 * 30) / 90, 10])
    assert [group["numbers"] for group in answer["mean"]["groups"]] == [[2, None], [10, 10]]
    assert answer["second"]["numbers"] == pytest.approx([5, of_second])


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
async def test_local_days_have_their_own_length(
    client: Client, plant: str, series: WritableSeriesStore, day: str, hours: int
) -> None:
    start = int(datetime.fromisoformat(f"{day}T00:00:00Z").timestamp()) * SECOND
    await write(
        series,
        [put("energy", "M0", start - 5 * HOUR, power=1.5), put("energy", "M0", start + 60 * HOUR, power=0.0)],
    )
    arguments = f"""measurement: "energy", field: "power", every: {{unit: DAY}},
        range: {{from: "{day}T00:00:00", to: "{day}T23:59:59", timeZone: "Europe/Berlin"}}"""
    answer = await device(
        client, plant, f"""energy: series({arguments}, aggregate: INTEGRAL) {{ times numbers complete }}"""
    )
    assert answer["energy"]["numbers"] == pytest.approx([1.5 * (hours - 1 / 3600)])


async def test_the_last_value_lasts_to_the_present_within_the_gap(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    now = time.time_ns()
    await write(
        series,
        [
            put("energy", "M0", now - 30 * MINUTE, power=6.0),
            put("energy", "M0", now + 2 * MINUTE, power=1000.0),  # of a clock that is ahead
        ],
    )
    integral = 'series(measurement: "energy", field: "power", aggregate: INTEGRAL,'
    hour_ago, tomorrow = iso(now - HOUR), iso(now + 24 * HOUR)
    answer = await device(
        client,
        plant,
        f"""held: {integral} range: {{last: "PT2H"}}) {{ numbers }}
            within: {integral} range: {{last: "PT2H"}}, maxGap: "PT40M") {{ numbers }}
            hole: {integral} range: {{last: "PT2H"}}, maxGap: "PT20M") {{ numbers }}
            line: {integral} range: {{last: "PT2H"}}, signal: LINEAR) {{ numbers }}
            to: {integral} range: {{from: "{hour_ago}", to: "{tomorrow}"}}) {{ numbers }}
            ahead: {integral} range: {{from: "{tomorrow}", to: "{iso(now + 48 * HOUR)}"}}) {{ numbers }}
            before: {integral} range: {{last: "PT1H", offset: "-P1D"}}) {{ numbers }}""",
    )
    for name in ("held", "within", "to"):
        assert answer[name]["numbers"] == [pytest.approx(3, rel=0.05)]
    for name in ("hole", "line", "ahead", "before"):
        assert answer[name]["numbers"] == []


async def test_integrals_are_compared_and_of_whole_days(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    """Yesterday and the same day of last week, each with another constant power."""
    today = time.time_ns() // (24 * HOUR) * 24 * HOUR
    days = {-9: 1, -8: 5, -7: 9, -1: 2}  # from the start of each, kW
    await write(series, [put("energy", "M0", today + n * 24 * HOUR, power=kw) for n, kw in days.items()])
    answer = await device(
        client,
        plant,
        """series(measurement: "energy", field: "power", range: {previous: DAY, timeZone: "UTC"},
             aggregate: INTEGRAL, every: {unit: DAY}, compare: "P7D") {
             numbers complete compared { numbers complete } }""",
    )
    assert answer["series"] == {
        "numbers": [pytest.approx(48)],
        "complete": [True],
        "compared": {"numbers": [pytest.approx(5 * 24)], "complete": [True]},
    }


async def test_what_an_integral_cannot_be_of_is_refused(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    await write(series, [put("energy", "M0", SIX, mode="A", on=True)])
    for arguments, field in (
        ('field: "mode", aggregate: INTEGRAL', "aggregate"),
        ('field: "power", aggregate: MEAN, per: HOUR', "per"),
        ('field: "power", aggregate: TIME_WEIGHTED_MEAN, per: HOUR', "per"),
        ('field: "power", aggregate: MEAN, signal: STEP', "signal"),
        ('field: "power", signal: STEP', "signal"),
        ('field: "power", aggregate: INTEGRAL, quantile: 0.5', "quantile"),
        ('field: "power", aggregate: INTEGRAL, maxGap: "PT0S"', "maxGap"),
    ):
        extensions = await refused(
            client, plant, f'series(measurement: "energy", {arguments}, {RANGE}) {{ count }}'
        )
        assert (extensions["code"], extensions["fields"]) == ("BAD_USER_INPUT", [field])
    arguments = f'measurement: "energy", {RANGE}, aggregate: INTEGRAL, signal: STEP'
    answer = await device(
        client,
        plant,
        f"""on: series({arguments}, field: "on") {{ numbers }}
            no: series({arguments}, field: "no") {{ count }}""",
    )
    assert answer == {"on": {"numbers": [pytest.approx(2)]}, "no": None}


@pytest.mark.parametrize("count", [1, 3])
async def test_integrals_of_many_machines_are_two_calls(
    client: Client, plant: str, series: WritableSeriesStore, count: int
) -> None:
    machines = [f"M{n}" for n in range(count)]
    await write(series, [put("energy", name, SIX, {"spindle": "1"}, power=1.0) for name in machines])
    answer = await client.run(
        f"""query($machines: [MachineRef!]!) {{ series(
          machines: $machines, fields: [{{measurement: "energy", field: "power"}}], by: ["spindle"],
          {RANGE}, aggregate: INTEGRAL, every: {{unit: HOUR}}) {{ series {{ numbers }} }} }}""",
        machines=[{"organizationId": plant, "applicationId": "cnc", "machineId": name} for name in machines],
    )
    assert [entry["series"]["numbers"] for entry in answer["series"]] == [pytest.approx([1, 1])] * count
    assert sorted(client.series_calls) == ["areas energy power", "neighbours energy power"]
