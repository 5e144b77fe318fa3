"""Series by windows, states and counters through the graph, and ranges that are rejected."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from stores.contracts.samples import SECOND, Unsigned
from stores.contracts.series import WritableSeriesStore
from tests.schema.client import Client
from tests.schema.machines import DAY, HOUR, device, put, refused, write

DAY_OF_PIECES = 'measurement: "production", field: "pieces_produced"'
RANGE = 'range: {from: "2026-03-28T23:00:00Z", to: "2026-03-31T22:00:00Z"}'  # three days of Madrid


async def write_pieces(series: WritableSeriesStore) -> None:
    """A piece each hour of three days, between which the clocks change; ten hours are missing."""
    start = int(datetime(2026, 3, 28, 23, tzinfo=UTC).timestamp()) * SECOND
    hours = [i for i in range(71) if not 30 <= i < 40]
    await write(series, [put("production", "M0", start + i * HOUR, pieces_produced=i) for i in hours])


async def test_a_series_has_its_samples_or_the_aggregates_of_its_windows(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    await write_pieces(series)
    plain = (
        await device(client, plant, f"series({DAY_OF_PIECES}, {RANGE}) {{ count values timesMs coverage }}")
    )["series"]
    assert plain["count"] == 61
    assert plain["values"][:3] == [0, 1, 2]
    assert plain["timesMs"][0] == datetime(2026, 3, 28, 23, tzinfo=UTC).timestamp() * 1000
    assert plain["coverage"] is None
    selection = f"""series({DAY_OF_PIECES}, {RANGE}, every: {{unit: DAY}}, timeZone: "Europe/Madrid",
        aggregate: COUNT) {{ points {{ time value }} coverage truncated start stop measurement field }}"""
    days = (await device(client, plant, selection))["series"]
    assert [point["value"] for point in days["points"]] == [23, 14, 24]
    assert [point["time"] for point in days["points"]] == [
        "2026-03-28T23:00:00.000Z",
        "2026-03-29T22:00:00.000Z",
        "2026-03-30T22:00:00.000Z",
    ]
    assert (days["coverage"], days["truncated"]) == (1, False)
    selection = f"series({DAY_OF_PIECES}, {RANGE}, aggregate: QUANTILE, quantile: 0.5) {{ values }}"
    assert (await device(client, plant, selection))["series"]["values"] == [40.0]


@pytest.mark.parametrize(
    ("fill", "filled"),
    [
        ("NONE", []),
        ("NULL", [None] * 10),
        ("PREVIOUS", [29.0] * 10),
        ("LINEAR", [float(i) for i in range(30, 40)]),
        ("VALUE, fillValue: 7", [7.0] * 10),
        ('PREVIOUS, maxGap: "PT5H"', [None] * 10),
    ],
)
async def test_gaps_are_filled_as_requested(
    client: Client, plant: str, series: WritableSeriesStore, fill: str, filled: list[Any]
) -> None:
    await write_pieces(series)
    selection = (
        f'series({DAY_OF_PIECES}, {RANGE}, every: {{duration: "PT1H"}}, aggregate: MEAN, fill: {fill})'
        " { values coverage complete }"
    )
    answer = (await device(client, plant, selection))["series"]
    assert answer["values"] == [*map(float, range(30)), *filled, *map(float, range(40, 71))]
    assert answer["coverage"] == pytest.approx(61 / 71)
    assert all(answer["complete"])


async def test_points_are_thinned_to_the_limit_and_the_series_says_so(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    await write_pieces(series)
    selection = f"series({DAY_OF_PIECES}, {RANGE}, maxPoints: 10) {{ count values truncated }}"
    answer = (await device(client, plant, selection))["series"]
    assert answer["count"] <= 10
    assert (answer["values"][0], answer["values"][-1], answer["truncated"]) == (0, 70, True)


async def test_states_over_time_with_what_was_carried_in(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    begin = int(datetime(2026, 3, 2, 6, tzinfo=UTC).timestamp()) * SECOND
    await write(
        series,
        [
            put("state", "M0", begin - DAY, power=True, execution="READY"),
            put("state", "M0", begin + HOUR, execution="ACTIVE"),
            put("state", "M0", begin + 2 * HOUR, execution="ACTIVE"),
            put("state", "M0", begin + 3 * HOUR, execution="READY", mode="MANUAL"),
        ],
    )
    machine = await device(
        client,
        plant,
        """states(range: {from: "2026-03-02T06:00:00Z", to: "2026-03-02T10:00:00Z"}) {
          execution { value start end duration carriedIn } power { value carriedIn duration }
          mode { value duration } durations { value duration share } }""",
    )
    states = machine["states"]
    assert [(span["value"], span["duration"], span["carriedIn"]) for span in states["execution"]] == [
        ("READY", "PT1H", True),
        ("ACTIVE", "PT2H", False),
        ("READY", "PT1H", False),
    ]
    assert states["power"] == [{"value": True, "carriedIn": True, "duration": "PT4H"}]
    assert states["mode"] == [{"value": "MANUAL", "duration": "PT1H"}]
    assert {span["value"]: (span["duration"], span["share"]) for span in states["durations"]} == {
        "READY": ("PT2H", 0.5),
        "ACTIVE": ("PT2H", 0.5),
    }


async def test_a_counter_counts_across_resets(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    begin = int(datetime(2026, 3, 2, 6, tzinfo=UTC).timestamp()) * SECOND
    values = [10, 14, 2, 5]
    await write(
        series,
        [
            put("production", "M0", begin + i * HOUR, pieces_produced=value)
            for i, value in enumerate(values, -1)
        ],
    )
    machine = await device(
        client,
        plant,
        f"""counter({DAY_OF_PIECES}, every: {{duration: "PT1H"}},
          range: {{from: "2026-03-02T06:00:00Z", to: "2026-03-02T09:00:00Z"}}) {{
          increase rate resets windows {{ start increase rate resets complete }} }}""",
    )
    counter = machine["counter"]
    assert (counter["increase"], counter["resets"]) == (4 + 2 + 3, 1)
    assert counter["rate"] == pytest.approx((2 + 3) / (2 * 3600))  # of the hours between the samples
    assert [window["increase"] for window in counter["windows"]] == [4, 2, 3]
    assert [window["rate"] for window in counter["windows"]] == [2 / 3600, 3 / 3600, None]
    assert all(window["complete"] for window in counter["windows"])


BAD = [
    ('series(measurement: "state", field: "power", range: {})', "BAD_USER_INPUT"),
    ('series(measurement: "state", field: "power", range: {last: "PT0S"})', "BAD_USER_INPUT"),
    (
        'series(measurement: "a", field: "b", range: {from: "2026-03-02T06:00Z", to: "2026-03-01T06:00Z"})',
        "BAD_USER_INPUT",
    ),
    (
        'series(measurement: "a", field: "b", range: {last: "P7D"}, aggregate: MAX, '
        'every: {duration: "PT0S"})',
        "BAD_USER_INPUT",
    ),
    ('series(measurement: "a", field: "b", range: {last: "P7D"}, every: {unit: DAY})', "BAD_USER_INPUT"),
    (
        'series(measurement: "a", field: "b", range: {last: "P365D"}, aggregate: MAX, '
        'every: {duration: "PT0.001S"})',
        "LIMIT_EXCEEDED",
    ),
    ('series(measurement: "a", field: "b", range: {last: "P4000D"})', "LIMIT_EXCEEDED"),
    ('series(measurement: "a", field: "b", range: {last: "P1D"}, aggregate: QUANTILE)', "BAD_USER_INPUT"),
    (
        'series(measurement: "a", field: "b", range: {last: "P1D"}, aggregate: QUANTILE, quantile: 2)',
        "BAD_USER_INPUT",
    ),
    (
        'series(measurement: "a", field: "b", range: {last: "P1D"}, aggregate: MEAN, quantile: 1)',
        "BAD_USER_INPUT",
    ),
    ('series(measurement: "a", field: "b", range: {last: "P1D"}, fill: NULL)', "BAD_USER_INPUT"),
    ('series(measurement: "a", field: "b", range: {last: "P1D"}, maxPoints: 2)', "BAD_USER_INPUT"),
    (
        'series(measurement: "a", field: "b", range: {last: "P1D"}, every: {unit: DAY}, aggregate: MAX, '
        'timeZone: "Mars")',
        "BAD_USER_INPUT",
    ),
]


@pytest.mark.parametrize(("field", "code"), BAD)
async def test_an_invalid_request_is_rejected_before_any_store_call(
    client: Client, plant: str, field: str, code: str
) -> None:
    extensions = await refused(client, plant, f"{field} {{ count }}")
    assert extensions["code"] == code
    assert [call for call in client.series_calls if "windows" in call] == []


async def test_texts_have_no_mean(client: Client, plant: str, series: WritableSeriesStore) -> None:
    await write(series, [put("state", "M0", time.time_ns(), execution="ACTIVE")])
    field = 'series(measurement: "state", field: "execution", range: {last: "P1D"}, every: {duration: "PT1H"}'
    assert (await refused(client, plant, f"{field}, aggregate: MEAN) {{ count }}"))["fields"] == ["aggregate"]
    machine = await device(client, plant, f"{field}, aggregate: LAST) {{ values }}")
    assert machine["series"]["values"] == ["ACTIVE"]


async def test_a_range_is_exact_to_the_nanosecond_and_local_without_an_offset(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    first = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()) * SECOND + 123_456_789
    await write(series, [put("exact", "M0", first, v=1), put("exact", "M0", first + 543_210, v=2)])

    async def values(start: str, stop: str, arguments: str = "") -> Any:
        range_ = f'range: {{from: "{start}", to: "{stop}"{arguments}}}'
        fields = f'series(measurement: "exact", field: "v", {range_}) {{ values }}'
        return (await device(client, plant, fields))["series"]["values"]

    assert await values("2025-01-01T00:00:00.123456789Z", "2025-01-01T00:00:00.123999999Z") == [1]
    assert await values("2025-01-01T00:00:00.123456790z", "2025-01-01T00:00:00.124Z") == [2]
    assert await values("2025-01-01T01:00:00", "2025-01-01T01:00:01", ', timeZone: "Europe/Berlin"') == [1, 2]
    assert await values("2025-01-01T01:00:00", "2025-01-01T01:00:01") == []
    assert await values("2025-01-01T00:00:00", "2025-01-01T00:00:01") == [1, 2]
    nowhere = 'series(measurement: "exact", field: "v", range: {last: "P1D", timeZone: "Mars"}) { count }'
    assert (await refused(client, plant, nowhere))["code"] == "BAD_USER_INPUT"


async def test_columns_are_typed_and_integers_exact(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    begin = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()) * SECOND
    values = [1, 2**53 + 1, 2**63 - 1]
    await write(series, [put("big", "M0", begin + i * 500, v=value) for i, value in enumerate(values)])
    await write(series, [put("big", "M0", begin + i, u=Unsigned(2**64 - i - 1)) for i in range(2)])
    columns = "times timesMs numbers integers strings booleans"
    range_ = 'range: {from: "2025-01-01T00:00:00Z", to: "2025-01-01T00:00:01Z"}'
    machine = await device(
        client,
        plant,
        f"""v: series(measurement: "big", field: "v", {range_}) {{ {columns} }}
        u: series(measurement: "big", field: "u", {range_}) {{ integers numbers }}""",
    )
    assert machine["v"] == {
        "times": [
            "2025-01-01T00:00:00.000Z",
            "2025-01-01T00:00:00.000000500Z",
            "2025-01-01T00:00:00.000001Z",
        ],
        "timesMs": [begin / 1e6, begin / 1e6 + 0.0005, begin / 1e6 + 0.001],
        "numbers": [1, None, None],
        "integers": ["1", "9007199254740993", "9223372036854775807"],
        "strings": [None] * 3,
        "booleans": [None] * 3,
    }
    assert machine["u"]["integers"] == ["18446744073709551615", "18446744073709551614"]
