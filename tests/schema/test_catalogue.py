"""What machines write, as a device and an application show it."""

import pytest

from stores.contracts.series import WritableSeriesStore
from tests.schema.client import Client
from tests.schema.machines import HOUR, MINUTE, NOW, iso, put, refused, write

CATALOGUE = """catalogue { measurements { name first last tags { name values valueCount }
  fields { name kind tags first last } } eventClasses { name source first last } }"""


def cut(time: str) -> str:
    """A time to the second, as `iso` writes it."""
    return f"{time[:19]}+00:00"


async def write_plant(series: WritableSeriesStore) -> None:
    old, new = NOW - HOUR, NOW - MINUTE
    for n in range(120):
        await write(series, [put("c", "M0", old, {"spindle": f"{n:03}"}, v=n)])
    await write(series, [put("c", "M0", new, {"spindle": "000", "line": "a"}, v=5, w=0.5)])
    await write(series, [put("state", "M0", old, power=True), put("state", "M1", new, execution="ACTIVE")])
    for n, class_ in enumerate(("ALARM", "ALARM", "TOOL")):
        tags = {"event_class": class_, "event_id": str(n)}
        await write(series, [put("events", f"M{n}", old + n * MINUTE, tags, event_value="x")])


async def test_the_catalogue_of_a_device_is_what_it_has_written(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    await write_plant(series)
    query = f"""query($o: String!) {{ device(organizationId: $o, applicationId: "cnc", machineId: "M0") {{
      {CATALOGUE} recent: catalogue(range: {{last: "PT30M"}}) {{
        measurements {{ name fields {{ name }} }} }} }} }}"""
    for _ in range(2):
        machine = (await client.run(query, o=plant))["device"]
    assert client.series_calls == ["extents", "extents"]
    assert machine["recent"] == {"measurements": [{"name": "c", "fields": [{"name": "v"}, {"name": "w"}]}]}
    counters, events, states = machine["catalogue"]["measurements"]
    assert [m["name"] for m in (counters, events, states)] == ["c", "events", "state"]
    assert counters["tags"] == [
        {"name": "line", "values": ["a"], "valueCount": 1},
        {"name": "spindle", "values": [f"{n:03}" for n in range(100)], "valueCount": 120},
    ]
    assert (cut(counters["first"]), cut(counters["last"])) == (iso(NOW - HOUR), iso(NOW - MINUTE))
    whole, half = counters["fields"]
    assert (whole["name"], whole["kind"], whole["tags"]) == ("v", "INTEGER", ["line", "spindle"])
    assert (half["name"], half["kind"], half["first"] == half["last"]) == ("w", "FLOAT", True)
    [power] = states["fields"]
    assert (power["name"], power["kind"], power["tags"]) == ("power", "BOOLEAN", [])
    [event_class] = machine["catalogue"]["eventClasses"]
    assert (event_class["name"], event_class["source"]) == ("ALARM", "events")


@pytest.mark.parametrize("selection", ["devices { nodes { %s } }", "%s"])
async def test_catalogues_of_applications_and_of_all_their_devices_are_one_query(
    client: Client, plant: str, series: WritableSeriesStore, selection: str
) -> None:
    await write_plant(series)
    fields = selection % CATALOGUE
    query = f'query($o: String!) {{ application(organizationId: $o, applicationId: "cnc") {{ {fields} }} }}'
    application = (await client.run(query, o=plant))["application"]
    assert client.series_calls == ["extents"]
    if "devices" in application:
        nodes = application["devices"]["nodes"]
        catalogues = [node["catalogue"] for node in nodes]
        names = [[m["name"] for m in catalogue["measurements"]] for catalogue in catalogues]
        assert names == [["c", "events", "state"], ["events", "state"], ["events"]]
        return
    catalogue = application["catalogue"]
    classes = {(c["name"], c["source"]): (cut(c["first"]), cut(c["last"])) for c in catalogue["eventClasses"]}
    old = NOW - HOUR
    assert classes == {
        ("ALARM", "events"): (iso(old), iso(old + MINUTE)),
        ("TOOL", "events"): (iso(old + 2 * MINUTE), iso(old + 2 * MINUTE)),
        ("execution", "state"): (iso(NOW - MINUTE), iso(NOW - MINUTE)),
    }
    states = catalogue["measurements"][-1]
    assert [field["name"] for field in states["fields"]] == ["execution", "power"]
    assert (cut(states["first"]), cut(states["last"])) == (iso(old), iso(NOW - MINUTE))


async def test_a_catalogue_of_nothing_is_empty_and_a_wrong_range_an_error(client: Client, plant: str) -> None:
    query = """query($o: String!) { application(organizationId: $o, applicationId: "cnc") {
      catalogue { measurements { name } eventClasses { name } } } }"""
    application = (await client.run(query, o=plant))["application"]
    assert application == {"catalogue": {"measurements": [], "eventClasses": []}}
    wrong = 'catalogue(range: {last: "-PT1H"}) { measurements { name } }'
    assert (await refused(client, plant, wrong))["code"] == "BAD_USER_INPUT"
