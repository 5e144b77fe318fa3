"""Which series machines have, on every time-series store."""

import json
from functools import partial

import pytest

from stores.contracts.errors import LimitExceeded, Unavailable
from stores.contracts.extents import ExtentQuery, SeriesExtent
from stores.contracts.samples import END_OF_TIME, Unsigned
from stores.wrappers.tagged import TaggedSeriesDatabase
from tests.contract.answering import Answer, answering
from tests.contract.points import HOSTILE, MINUTE, T, point
from tests.contract.series_stores import Written
from tests.contract.test_influx_answers import UNEXPECTED, choose_rows, open_store

EVER = -END_OF_TIME, END_OF_TIME
MALFORMED = [{"m": "M1", "a1": "soon", "z1": 5}, {"m": "M1", "a1": 5}, {"a1": 5, "z1": 5}]


async def test_extents_are_those_of_each_series_of_the_machines(written: Written) -> None:
    assert await written.series.extents(ExtentQuery(["M1"], None, *EVER), 10) == []
    one, two = (("spindle", "1"),), (("line", "a,b"), ("spindle", "2"))
    await written.put(
        point(T, power=True, load=0.5), point(T + MINUTE, power=False), point(1, "M3", load=1.5)
    )
    await written.put(
        point(T, "M1", "c", v=1, tag_spindle="1"), point(T + 5, "M1", "c", v=2, tag_spindle="1")
    )
    await written.put(point(T - 7, "M1", "c", v=3, text="", tag_spindle="2", tag_line="a,b"))
    await written.put(point(T, "M2", "c", v=4), point(T, None, "c", v=5))
    series, ever = written.series, ExtentQuery(["M1", "M3", "M9"], None, *EVER)
    expected = [
        SeriesExtent("M1", "c", "text", "string", two, T - 7, T - 7),
        SeriesExtent("M1", "c", "v", "integer", two, T - 7, T - 7),
        SeriesExtent("M1", "c", "v", "integer", one, T, T + 5),
        SeriesExtent("M1", "state", "load", "float", (), T, T),
        SeriesExtent("M1", "state", "power", "boolean", (), T, T + MINUTE),
        SeriesExtent("M3", "state", "load", "float", (), 1, 1),
    ]
    assert sorted(await series.extents(ever, 6)) == expected
    with pytest.raises(LimitExceeded, match="too many series"):
        await series.extents(ever, 5)
    fields = [("state", "power"), ("c", "v"), ("c", "power"), ("none", "v"), ('"', "'")]
    of_fields = ExtentQuery(["M1", "M3"], fields, *EVER)
    assert sorted(await series.extents(of_fields, 9)) == [expected[1], expected[2], expected[4]]
    of_range = ExtentQuery(["M1"], fields, T + 1, T + MINUTE)
    assert await series.extents(of_range, 9) == [expected[2]._replace(first=T + 5)]
    tagged = ExtentQuery(["M1"], None, *EVER, where=(("spindle", ("2", "3")),))
    assert sorted(await series.extents(tagged, 9)) == expected[:2]
    absent = ExtentQuery(["M1"], None, *EVER, where=(("no such", ("2",)),))
    assert await series.extents(absent, 9) == []
    of_line = TaggedSeriesDatabase(series, ("line", "a,b"))
    hidden = [extent._replace(tags=(("spindle", "2"),)) for extent in expected[:2]]
    assert sorted(await of_line.extents(ever, 9)) == hidden


async def test_extents_of_names_with_special_characters_and_of_any_number_of_machines(
    written: Written,
) -> None:
    named = [f"m{name}".replace('"', "''") for name in HOSTILE]  # as in the tests of other reads
    await written.put(
        *(
            point(T, name, measurement, v=Unsigned(1))
            for name, measurement in zip(HOSTILE, named, strict=True)
        )
    )
    machines = [*HOSTILE, *(f"M{n}" for n in range(1200))]
    extents = await written.series.extents(ExtentQuery(machines, None, *EVER), 50)
    expected = [
        SeriesExtent(m, name, "v", "unsigned", (), T, T) for m, name in zip(HOSTILE, named, strict=True)
    ]
    assert sorted(extents) == sorted(expected)
    fields = [(name, "v") for name in named]
    assert sorted(await written.series.extents(ExtentQuery(HOSTILE, fields, *EVER), 50)) == sorted(expected)


@pytest.mark.parametrize("kind", ["influxdb3", "influxdb2"])
async def test_unexpected_answers_are_unavailable(kind: str) -> None:
    async with answering(lambda request: Answer()) as server:
        malformed = [Answer(200, json.dumps([row]).encode()) for row in MALFORMED]
        for answer in [*UNEXPECTED, *(malformed if kind == "influxdb3" else ())]:
            server.choose = partial(choose_rows, answer)
            store = open_store(kind, server.url)  # with a closed circuit
            with pytest.raises(Unavailable):
                await store.database("machines").extents(ExtentQuery(["M1"], None, 0, 20), 10)
            await store.close()
