"""Each combination of tags of a machine is a series of its own."""

from datetime import UTC, datetime

import pytest

from stores.contracts.samples import SECOND
from stores.contracts.series import WritableSeriesStore
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


@pytest.mark.parametrize("aggregate", ["", 'aggregate: SUM, every: {duration: "PT1M"}, fill: NULL,'])
# Long because the same points are read in every way.
async def test_series_are_answered_by_tags(
    client: Client, plant: str, series: WritableSeriesStore, aggregate: str
) -> None:
    start = int(datetime(2026, 3, 2, 6, tzinfo=UTC).timestamp()) * SECOND
    minute, week = 60 * SECOND, 7 * 24 * 3600 * SECOND
    tags = [{"spindle": "1", "axis": "x"}, {"spindle": "1", "axis": "y"}, {"spindle": "2"}, {}]
    await write(
        series,
        [put("c", "M0", start + n * SECOND, tags_of_one, v=10**n) for n, tags_of_one in enumerate(tags)]
        + [put("c", "M0", start - week + minute, tags[2], v=7)],
    )
    fields = "numbers coverage tags { name value }"
    arguments = f"""measurement: "c", field: "v", {aggregate} by: ["spindle"],
        range: {{from: "2026-03-02T06:00:00Z", to: "2026-03-02T06:02:00Z"}}"""
    machine = await device(
        client,
        plant,
        f"""all: series({arguments}) {{
              {fields} groups {{ {fields} groups {{ count }} }} compared {{ count }} }}
            some: series({arguments}, where: [{{tag: "axis", in: ["x"]}}]) {{
              {fields} groups {{ {fields} }} }}
            compared: series({arguments}, compare: "P7D") {{
              groups {{ tags {{ value }} compared {{ numbers tags {{ value }} }} }}
              compared {{ numbers groups {{ numbers }} }} }}""",
    )
    is_aggregated = bool(aggregate)

    def expect(value: str | None, *numbers: int) -> dict[str, object]:
        tags = [{"name": "spindle", "value": value}]
        if is_aggregated:
            return {"numbers": [sum(numbers), None], "coverage": 0.5, "tags": tags}
        return {"numbers": list(numbers), "coverage": None, "tags": tags}

    expected = [expect(None, 1000), expect("1", 1, 10), expect("2", 100)]
    assert machine["all"] == {
        **expect(None, 1, 10, 100, 1000),
        "tags": [],
        "groups": [{**group, "groups": []} for group in expected],
        "compared": None,
    }
    assert machine["some"] == {**expect("1", 1), "tags": [], "groups": [expect("1", 1)]}
    earlier = [None, 7] if is_aggregated else [7]
    assert machine["compared"] == {
        "groups": [
            {"tags": [{"value": None}], "compared": None},
            {"tags": [{"value": "1"}], "compared": None},
            {"tags": [{"value": "2"}], "compared": {"numbers": earlier, "tags": [{"value": "2"}]}},
        ],
        "compared": {"numbers": earlier, "groups": [{"numbers": earlier}]},
    }


async def test_grouped_series_of_many_machines_are_two_calls(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    start = int(datetime(2026, 3, 2, 6, tzinfo=UTC).timestamp()) * SECOND
    machines = ["M0", "M1", "M2"]
    await write(
        series,
        [put("c", name, start + n, {"spindle": str(n)}, v=n) for name in machines for n in range(2)],
    )
    answer = await client.run(
        """query($machines: [MachineRef!]!) { series(
          machines: $machines, fields: [{measurement: "c", field: "v"}], aggregate: MAX, by: ["spindle"],
          range: {from: "2026-03-02T06:00:00Z", to: "2026-03-02T06:01:00Z"}
        ) { series { numbers groups { numbers } } } }""",
        machines=[{"organizationId": plant, "applicationId": "cnc", "machineId": name} for name in machines],
    )
    expected = {"numbers": [1], "groups": [{"numbers": [0]}, {"numbers": [1]}]}
    assert [entry["series"] for entry in answer["series"]] == [expected] * 3
    assert client.series_calls == ["windows c v"] * 2
