"""Ranges of the calendar, windows of shifts and comparisons."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from stores.contracts.samples import SECOND
from stores.contracts.series import WritableSeriesStore
from tests.schema.client import Client
from tests.schema.machines import device, put, refused, write
from tests.schema.test_windows import DAY_OF_PIECES


async def test_ranges_of_the_calendar_shifts_and_comparisons(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    local = ZoneInfo("Europe/Berlin")
    today = datetime.now(local).replace(hour=0, minute=30, second=0, microsecond=0, fold=0)
    for days, value in ((0, 5), (1, 3), (8, 2)):
        at = int((today - timedelta(days=days)).timestamp()) * SECOND
        await write(series, [put("production", "M0", at, pieces_produced=value)])
    await write(series, [put("state", "M0", int(today.timestamp()) * SECOND, execution="ACTIVE")])
    machine = await device(
        client,
        plant,
        f"""yesterday: series({DAY_OF_PIECES}, range: {{previous: DAY, timeZone: "Europe/Berlin"}},
              compare: "P7D") {{ numbers compared {{ numbers start }} }}
            moved: series({DAY_OF_PIECES},
              range: {{previous: DAY, timeZone: "Europe/Berlin", offset: "-P7D"}}) {{ numbers start }}
            shifts: series({DAY_OF_PIECES}, range: {{previous: DAY, timeZone: "Europe/Berlin"}}, fill: NULL,
              every: {{dayTimes: ["06:00", "14:00", "22:00"]}}, aggregate: SUM) {{ numbers complete }}
            states(range: {{previous: DAY}}, every: {{duration: "PT8H", offset: "PT6H"}}) {{
              windows {{ start complete states {{ entries }} }} }}""",
    )
    assert machine["yesterday"]["numbers"] == [3]
    assert machine["yesterday"]["compared"]["numbers"] == machine["moved"]["numbers"] == [2]
    assert machine["yesterday"]["compared"]["start"] == machine["moved"]["start"]
    assert machine["shifts"] == {"numbers": [3, None, None, None], "complete": [False, True, True, False]}
    windows = machine["states"]["windows"]
    assert [window["start"][11:16] for window in windows] == ["22:00", "06:00", "14:00", "22:00"]


@pytest.mark.parametrize(
    "arguments",
    [
        'range: {last: "P1D"}, every: {dayTimes: []}, aggregate: MAX',
        'range: {last: "P1D"}, every: {dayTimes: ["24:00"]}, aggregate: MAX',
        'range: {last: "P1D"}, every: {dayTimes: ["6:00"]}, aggregate: MAX',
        'range: {last: "P1D"}, every: {unit: DAY, offset: "PT1H"}, aggregate: MAX',
        'range: {last: "P1D", current: DAY}',
        'range: {current: DAY, to: "2026-01-01T00:00:00Z"}',
        'range: {last: "-P1D"}',
        'range: {last: "P1D", offset: "P999999999D"}',
        'range: {last: "P1D"}, timeZone: null',
    ],
)
async def test_arguments_that_contradict_each_other_are_refused(
    client: Client, plant: str, arguments: str
) -> None:
    assert (await refused(client, plant, f"series({DAY_OF_PIECES}, {arguments}) {{ count }}"))["code"] == (
        "BAD_USER_INPUT"
    )
