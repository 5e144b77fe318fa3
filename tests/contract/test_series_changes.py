"""The changes of series, on every time-series store."""

import random
import uuid
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from stores.backends.influx.influx2_client import Influx2Client
from stores.backends.influx.influx3_client import Influx3Client
from stores.contracts.errors import LimitExceeded
from stores.contracts.samples import END_OF_TIME, MACHINE, ByMachine, ByTags, Point, Sample, Unsigned, Value
from stores.contracts.series_queries import SeriesQuery
from stores.opening import open_series
from stores.wrappers.tagged import TaggedSeriesDatabase
from tests.contract.points import HOSTILE, T, count_samples, point
from tests.contract.series_stores import Written, create, send
from tests.patience import BUSY_S


async def test_a_change_is_the_first_sample_and_each_that_differs_from_the_one_before(
    written: Written,
) -> None:
    values = ["A", "A", "B", "", "", "A", "A", "A", "B"]
    await written.put(*(point(T + n, mode=value) for n, value in enumerate(values)))
    await written.put(*(point(T + n, power=n % 4 < 2, tag_spindle="1") for n in range(5)))
    await written.put(*(point(T + n, "M2", power=False) for n in range(5)))
    query = SeriesQuery("state", ["mode", "power", "none"], ["M1", "M2", "M9"], T + 1, T + 8)
    spindle = (("spindle", "1"),)
    changes: ByMachine[ByTags[list[Sample]]] = {
        "M1": {
            "mode": {(): [Sample(T + 1, "A"), Sample(T + 2, "B"), Sample(T + 3, ""), Sample(T + 5, "A")]},
            "power": {spindle: [Sample(T + 1, True), Sample(T + 2, False), Sample(T + 4, True)]},
        },
        "M2": {"power": {(): [Sample(T + 1, False)]}},
    }
    assert await written.series.changes(query, 8) == changes
    with pytest.raises(LimitExceeded, match=r"changes .*series\.max_points"):
        await written.series.changes(query, 7)
    assert await written.series.changes(replace(query, where=(("spindle", ("1", "2")),)), 3) == {
        "M1": {"power": changes["M1"]["power"]}
    }
    hidden = TaggedSeriesDatabase(written.series, ("spindle", "1"))
    assert await hidden.changes(query, 3) == {"M1": {"power": {(): changes["M1"]["power"][spindle]}}}
    for nothing in (
        replace(query, fields=["none"]),
        replace(query, machines=["M9"]),
        replace(query, start=T + 99, stop=T + 100),
    ):
        assert await written.series.changes(nothing, 0) == {}


VALUES: dict[str, list[Value]] = {
    "b": [True, False],
    "i": [-(2**63), -1, 0, 1, 2**63 - 1],
    "u": [Unsigned(0), Unsigned(2**63), Unsigned(2**64 - 1)],
    "f": [0.0, -0.0, 5e-324, 1.5, -1.5, 1.7e308],
    "s": ["", " ", *HOSTILE],
    "t": [f"text {n}" for n in range(60)],  # more than there may be in a statement
}


async def test_the_changes_of_every_kind_are_those_of_all_samples(written: Written) -> None:
    rng = random.Random(17)
    points: list[Point] = []
    chosen = {field: values[0] for field, values in VALUES.items()}
    for n in range(400):
        for field, values in VALUES.items():
            if rng.random() < 0.4:
                chosen[field] = rng.choice(values)
        fields = {field: value for field, value in chosen.items() if rng.random() < 0.8}
        tags = {MACHINE: rng.choice(["M1", "M2"])} | (
            {"line": rng.choice("ab")} if rng.random() < 0.7 else {}
        )
        points.append(Point("state", tuple(sorted(tags.items())), {**fields, "n": n}, T + n))
    await written.put(*points)
    query = SeriesQuery("state", list(VALUES), ["M1", "M2"], T + 20, T + 380)
    samples = await written.series.points(query, 4000)
    for period in (None, 50):
        expected = _find_changes(samples, period or END_OF_TIME)
        count = count_samples(expected)
        assert 400 < count < 1500
        assert await written.series.changes(query, count, period) == expected
        with pytest.raises(LimitExceeded):
            await written.series.changes(query, count - 1, period)


def _find_changes(series: ByMachine[ByTags[list[Sample]]], period: int) -> ByMachine[ByTags[list[Sample]]]:
    return {
        machine: {
            field: {
                tags: samples[:1]
                + [
                    sample
                    for before, sample in pairwise(samples)
                    if sample.value != before.value or sample.time // period > before.time // period
                ]
                for tags, samples in by_tags.items()
            }
            for field, by_tags in by_field.items()
        }
        for machine, by_field in series.items()
    }


async def test_periods_before_1970_are_as_long_as_others(written: Written) -> None:
    times = [-12, -9, -6, -4, -1, 0, 3, 5, 11]
    await written.put(*(point(time, power=True, load=7) for time in times))
    changes = await written.series.changes(SeriesQuery("state", ["power", "load"], ["M1"], -20, 20), 99, 5)
    expected = [-12, -9, -4, 0, 5, 11]  # two of them are in the period from -10, and two in that from -5
    for field in ("power", "load"):
        assert [sample.time for sample in changes["M1"][field][()]] == expected


@pytest.mark.parametrize("kind", ["influxdb3", "influxdb2"])
async def test_only_changes_cross_the_wire(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = request.getfixturevalue(f"{kind}_server")
    database = f"d{uuid.uuid4().hex[:12]}"
    await create(server, database)
    beats = [
        point(T + n, f"M{n % 5}", power=n >= 1000, mode=("A", "B")[n // 400 % 2], load=n // 900)
        for n in range(2000)
    ]
    await send(server, database, beats)
    client = Influx3Client if kind == "influxdb3" else Influx2Client
    rows: list[object] = []
    query = client.query

    async def count(*arguments: Any) -> Any:
        answer = await query(*arguments)
        rows.extend(answer)
        return answer

    prefix, org = ("influxdb2+", server.org) if kind == "influxdb2" else ("", "")
    store = open_series(prefix + server.url, data=Path(), token=server.token, org=org, deadline=BUSY_S)
    series = store.database(database)
    await series.catalogue()
    monkeypatch.setattr(client, "query", count)
    machines = [f"M{n}" for n in range(5)]
    changes = await series.changes(SeriesQuery("state", ["power", "mode", "load"], machines, T, T + 2000), 99)
    await store.close()
    assert count_samples(changes) == 5 * (2 + 5 + 3)
    assert len(rows) <= 50 + 2  # and the strings that occur
