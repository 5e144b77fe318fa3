"""Each combination of tags of a machine is a series of its own."""

from datetime import UTC, datetime

import pytest

from stores.contracts.series import SECOND, WritableSeriesStore
from tests.schema.client import Client
from tests.schema.machines import device, put, refused, write


# Long because the same points are read in every way.
async def test_each_tag_set_is_a_series_of_its_own(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    start = int(datetime(2026, 3, 2, 6, tzinfo=UTC).timestamp()) * SECOND
    for n in range(3):
        one, two = start + n * 10 * SECOND, start + n * 10 * SECOND + 1
        await write(
            series,
            [
                put("c", "M0", one, {"spindle": "1"}, v=1000 + 10 * n),
                put("c", "M0", two, {"spindle": "2"}, v=5 + n),
                put("state", "M0", one, {"spindle": "1"}, execution="ACTIVE"),
                put("state", "M0", two, {"spindle": "2"}, execution="READY"),
            ],
        )
    range_ = 'range: {from: "2026-03-02T06:00:00Z", to: "2026-03-02T06:01:00Z"}'
    machine = await device(
        client,
        plant,
        f"""counter(measurement: "c", field: "v", {range_}, by: ["spindle"]) {{
              increase resets rate tags {{ name }} groups {{ increase tags {{ name value }} }} }}
            second: counter(measurement: "c", field: "v", {range_},
              where: [{{tag: "spindle", in: ["2"]}}]) {{ increase groups {{ increase }} }}
            states({range_}, by: ["spindle"]) {{ execution {{ value start }} durations {{ value entries }}
              groups {{ tags {{ value }} execution {{ value seconds }} }} }}
            series(measurement: "c", field: "v", {range_}, where: [{{tag: "spindle", in: ["1"]}}]) {{
              numbers }}
            maximum: series(measurement: "c", field: "v", {range_}, where: [{{tag: "spindle", in: ["2"]}}],
              aggregate: MAX) {{ numbers }}""",
    )
    counter = machine["counter"]
    assert (counter["increase"], counter["resets"], counter["tags"]) == (22, 0, [])
    assert counter["rate"] == pytest.approx(1.1)
    assert counter["groups"] == [
        {"increase": 20, "tags": [{"name": "spindle", "value": "1"}]},
        {"increase": 2, "tags": [{"name": "spindle", "value": "2"}]},
    ]
    assert machine["second"] == {"increase": 2, "groups": []}
    assert [span["value"] for span in machine["states"]["execution"]] == ["ACTIVE", "READY"]
    assert {total["value"]: total["entries"] for total in machine["states"]["durations"]} == {
        "ACTIVE": 1,
        "READY": 1,
    }
    assert machine["states"]["groups"] == [
        {"tags": [{"value": "1"}], "execution": [{"value": "ACTIVE", "seconds": 60}]},
        {"tags": [{"value": "2"}], "execution": [{"value": "READY", "seconds": pytest.approx(60)}]},
    ]
    assert machine["series"]["numbers"] == [1000, 1010, 1020]
    assert machine["maximum"]["numbers"] == [7]
    twice = f'counter(measurement: "c", field: "v", {range_}, by: ["a", "a"]) {{ increase }}'
    assert (await refused(client, plant, twice))["code"] == "BAD_USER_INPUT"
