"""Questions about series through GraphQL, over every time-series store: the answers are the same."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from stores.contracts.samples import SECOND, Unsigned
from tests.schema.machines import HOUR, MINUTE, SIX
from tests.schema.series_gateway import OWN
from tests.schema.stored_gateway import StoredGateway, stored_gateway

__all__ = ["stored_gateway"]


async def test_tag_sets_are_counters_and_states_of_their_own(stored_gateway: StoredGateway) -> None:
    times = [SIX + n * 10 * SECOND for n in range(3)]
    await stored_gateway.write(
        "c",
        *((at, "1", {"v": 1000 + 10 * n}) for n, at in enumerate(times)),
        *((at + 1, "2", {"v": 5 + n}) for n, at in enumerate(times)),
    )
    await stored_gateway.write(
        "state",
        *((at, "1", {"execution": "ACTIVE"}) for at in times),
        *((at + 1, "2", {"execution": "READY"}) for at in times),
    )
    range_ = 'range: {from: "2026-03-02T06:00:00Z", to: "2026-03-02T06:01:00Z"}'
    answer = await stored_gateway.read(
        f"""counter(measurement: "c", field: "v", {range_}, by: ["spindle"]) {{
              increase resets groups {{ increase tags {{ value }} }} }}
            states({range_}, by: ["spindle"]) {{ execution {{ value }}
              groups {{ execution {{ value seconds }} }} }}
            series(measurement: "c", field: "v", {range_}, by: ["spindle"], aggregate: MAX) {{
              numbers groups {{ numbers tags {{ value }} }} }}
            one: series(measurement: "c", field: "v", {range_}, aggregate: COUNT,
              where: [{{tag: "spindle", in: ["1"]}}]) {{ numbers }}"""
    )
    assert answer["counter"] == {
        "increase": 22,
        "resets": 0,
        "groups": [{"increase": 20, "tags": [{"value": "1"}]}, {"increase": 2, "tags": [{"value": "2"}]}],
    }
    assert [span["value"] for span in answer["states"]["execution"]] == ["ACTIVE", "READY"]
    assert [group["execution"] for group in answer["states"]["groups"]] == [
        [{"value": "ACTIVE", "seconds": 60}],
        [{"value": "READY", "seconds": pytest.approx(60)}],
    ]
    assert answer["series"] == {
        "numbers": [1020],
        "groups": [{"numbers": [1020], "tags": [{"value": "1"}]}, {"numbers": [7], "tags": [{"value": "2"}]}],
    }
    assert answer["one"]["numbers"] == [3]


async def test_a_steady_counter_has_the_rate_1_in_every_window(stored_gateway: StoredGateway) -> None:
    """A counter that grows by 1 each second, in windows that the range cuts."""
    now = time.time_ns() // SECOND
    seconds = range(now - 2 * 3600, now, 60)
    await stored_gateway.write("c", *((second * SECOND, None, {"v": second}) for second in seconds))
    answer = await stored_gateway.read(
        "\n".join(
            f"""{name}: counter(measurement: "c", field: "v", range: {{last: "PT1H"}}, every: {every}) {{
              increase rate windows {{ increase rate complete }} }}"""
            for name, every in (("hours", "{unit: HOUR}"), ("quarters", '{duration: "PT15M"}'))
        )
    )
    for counter in answer.values():
        rates = [window["rate"] for window in counter["windows"] if window["rate"] is not None]
        assert rates == pytest.approx([1.0] * len(rates), abs=1e-6)
        assert len(rates) >= len(counter["windows"]) - 1  # the last one may have no sample yet
        assert counter["rate"] == pytest.approx(1.0, abs=1e-6)
        assert sum(window["increase"] for window in counter["windows"]) == counter["increase"]
        assert not counter["windows"][-1]["complete"]


async def test_bounds_of_ranges_are_exact_to_the_nanosecond(stored_gateway: StoredGateway) -> None:
    first = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()) * SECOND + 123_456_789
    await stored_gateway.write("n", (first, None, {"v": 1}), (first + 543_210, None, {"v": 2}))

    async def ask(start: str, stop: str) -> Any:
        range_ = f'{{from: "2025-01-01T00:00:00.{start}Z", to: "2025-01-01T00:00:00.{stop}Z"}}'
        answer = await stored_gateway.read(
            f'series(measurement: "n", field: "v", range: {range_}) {{ times integers }}'
        )
        return answer["series"]["integers"], answer["series"]["times"]

    assert (await ask("123456789", "123999999"))[0] == ["1"]
    integers, times = await ask("123456790", "124")
    assert (integers, times) == (["2"], ["2025-01-01T00:00:00.123999999Z"])


async def test_a_local_day_that_does_not_exist_has_no_window(stored_gateway: StoredGateway) -> None:
    begin = int(datetime(2011, 12, 28, 12, tzinfo=UTC).timestamp()) * SECOND
    await stored_gateway.write("c", *((begin + n * HOUR, None, {"v": n}) for n in range(4 * 24)))
    arguments = """measurement: "c", field: "v", every: {unit: DAY}, range: {
      from: "2011-12-28T00:00:00", to: "2012-01-02T00:00:00", timeZone: "Pacific/Apia"}"""
    answer = await stored_gateway.read(
        f"""series({arguments}, aggregate: COUNT, fill: NULL) {{ times numbers }}
            energy: series({arguments}, aggregate: INTEGRAL, per: HOUR, fill: NULL) {{ times numbers }}
            counter({arguments}) {{ increase windows {{ start end increase }} }}"""
    )
    starts = [f"2011-12-{day}T10:00:00.000Z" for day in (28, 29, 30, 31)]
    assert answer["series"]["times"] == answer["energy"]["times"] == starts
    assert answer["series"]["numbers"] == [22, 24, 24, 24]
    assert answer["energy"]["numbers"] == [
        sum(range(22)),
        *(sum(range(first, first + 24)) for first in (22, 46, 70)),
    ]
    windows = answer["counter"]["windows"]
    assert [window["start"] for window in windows] == starts
    assert all(window["start"] < window["end"] for window in windows)
    assert sum(window["increase"] for window in windows) == answer["counter"]["increase"] == 93


async def test_energy_of_tag_sets_is_cut_at_the_edges(stored_gateway: StoredGateway) -> None:
    """10 kW from 05:50 to 06:30, then 20 kW to 07:15; another spindle takes 4 kW from 06:45 to 07:45."""
    at = ((-10, "1", 10.0), (30, "1", 20.0), (75, "1", 0.0), (45, "2", 4.0), (105, "2", 0.0))
    await stored_gateway.write(
        "energy", *((SIX + minute * MINUTE, spindle, {"power": kw}) for minute, spindle, kw in at)
    )
    arguments = """measurement: "energy", field: "power", every: {unit: HOUR}, by: ["spindle"],
      range: {from: "2026-03-02T06:00:00Z", to: "2026-03-02T08:00:00Z"}"""
    answer = await stored_gateway.read(
        f"""step: series({arguments}, aggregate: INTEGRAL) {{ numbers groups {{ numbers }} }}
            gap: series({arguments}, aggregate: INTEGRAL, maxGap: "PT50M") {{ numbers }}
            mean: series({arguments}, aggregate: TIME_WEIGHTED_MEAN, maxGap: "PT1H") {{ numbers }}
            line: series({arguments}, aggregate: INTEGRAL, signal: LINEAR) {{ groups {{ numbers }} }}"""
    )
    assert answer["step"]["numbers"] == pytest.approx([5 + 10 + 1, 5 + 3])
    assert [group["numbers"] for group in answer["step"]["groups"]] == [
        pytest.approx([15, 5]),
        pytest.approx([1, 3]),
    ]
    assert answer["gap"]["numbers"] == pytest.approx([5 + 10, 5])
    assert answer["mean"]["numbers"] == pytest.approx([16 / (60 + 15) * 60, 8 / (15 + 45) * 60])
    # From 10 kW at 05:50 by a quarter of a kW each minute to 20 kW, then by 4/9 to 0 kW; 4 kW to 0 kW
    first = [(12.5 + 20) / 2 * 30 / 60 + (20 + 20 / 3) / 2 * 30 / 60, 20 / 3 / 2 * 15 / 60]
    second = [(4 + 3) / 2 * 15 / 60, 3 / 2 * 45 / 60]
    assert [group["numbers"] for group in answer["line"]["groups"]] == [
        pytest.approx(first),
        pytest.approx(second),
    ]


async def test_every_store_is_metered_alike(stored_gateway: StoredGateway) -> None:
    """Points are what the store returns, and no request costs more of them than its estimate."""
    times = [SIX + n * MINUTE for n in range(30)]
    await stored_gateway.write("c", *((at, spindle, {"v": 5.0}) for at in times for spindle in "12"))
    field = """measurement: "c", field: "v", by: ["spindle"],
      range: {from: "2026-03-02T06:00:00Z", to: "2026-03-02T06:30:00Z"}"""
    every = 'every: {duration: "PT10M"}'
    selections = (
        f"series({field}) {{ count }}",
        f"series({field}, aggregate: MEAN, {every}) {{ count }}",
        f"series({field}, aggregate: QUANTILE, quantile: 0.5, {every}) {{ count }}",
        f"series({field}, aggregate: INTEGRAL, {every}) {{ count }}",
        f"counter({field}, {every}) {{ increase }}",
    )
    costs = []
    for selection in selections:
        device = f'device(organizationId: "{OWN}", applicationId: "cnc", machineId: "M0") {{ {selection} }}'
        body = {"query": f"{{ {device} }}", "extensions": {"cost": True}}
        answer = await stored_gateway.gateway.http.post("/graphql", json=body, headers={"X-API-Key": OWN})
        costs.append(answer.json()["extensions"]["cost"])
    samples, *windows = costs
    assert samples["actual"]["points"] == 60
    # Three windows together and of each of two series; integrals and counters only of each series, and the
    # samples next to the range, of which there are none.
    assert [cost["actual"]["points"] for cost in windows] == [9, 9, 6, 6]
    assert [cost["estimate"]["points"] >= cost["actual"]["points"] for cost in windows] == [True] * 4


# In units of 1e308, of each hour and of all three: 1 1, -1 -1, 1 -1, and then 1 again
LARGE = {
    "SUM": [2, -2, 0, 0],
    "MEAN": [1, -1, 0, 0],
    "STDDEV": [0, 0, 2**0.5, 1.2**0.5],
    "INTEGRAL": [1, -1, 0, 0],
    "INTEGRAL, signal: LINEAR": [0.5, -0.5, 0, 0],
    "TIME_WEIGHTED_MEAN": [1, -1, 0, 0],
}


# Long because one request reads every kind of number that can be too large.
async def test_numbers_that_are_too_large_are_exact_or_null(stored_gateway: StoredGateway) -> None:
    large, counts = (1, 1, -1, -1, 1, -1, 1), (0, 1.5e308, 1.5e308, 0, 1.5e308, 0, 0)
    first, most = 2**60 + 1, 2**64 - 1
    await stored_gateway.write(
        "x",
        *(
            (
                SIX + n * HOUR // 2,
                None,
                {"f": value * 1e308, "c": float(count), "i": first + n, "u": Unsigned(most - n), "n": -n},
            )
            for n, (value, count) in enumerate(zip(large, counts, strict=True))
        ),
    )
    range_ = 'range: {from: "2026-03-02T06:00:00Z", to: "2026-03-02T09:00:00Z"}'
    windows = {"hour": "PT1H", "whole": "PT3H"}
    answer = await stored_gateway.read(
        "\n".join(
            f"""{name}{n}: series(measurement: "x", field: "f", {range_}, aggregate: {function},
              every: {{duration: "{every}"}}, fill: NULL) {{ numbers }}"""
            for n, function in enumerate(LARGE)
            for name, every in windows.items()
        )
        + "".join(
            f"""{field}: series(measurement: "x", field: "{field}", {range_}, aggregate: QUANTILE,
              quantile: 0.5) {{ integers numbers }}"""
            for field in "iu"
        )
        + "".join(
            f"""{name}: counter(measurement: "x", field: "{name}", {range_}, every: {{duration: "PT1H"}}) {{
              increase resets windows {{ increase }} }}"""
            for name in "cn"
        )
    )
    for n, (function, expected) in enumerate(LARGE.items()):
        numbers = [*answer[f"hour{n}"]["numbers"], *answer[f"whole{n}"]["numbers"]]
        assert len(numbers) == 4
        for number, value in zip(numbers, expected, strict=True):
            assert number is None or number == pytest.approx(value * 1e308), (function, numbers)
    assert answer["i"] == {"integers": [str(first + 2)], "numbers": [None]}
    assert answer["u"] == {"integers": [str(most - 3)], "numbers": [None]}
    increases = [{"increase": 1.5e308}, {"increase": 0}, {"increase": 1.5e308}]
    assert answer["c"] == {"increase": None, "resets": 2, "windows": increases}
    # Each sample is below the one before, and so counts from zero.
    increases = [{"increase": -1}, {"increase": -5}, {"increase": -9}]
    assert answer["n"] == {"increase": -15, "resets": 5, "windows": increases}
