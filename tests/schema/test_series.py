"""What the time series tell through the graph, and what it costs."""

import time

import pytest
from bson import ObjectId

from stores.contracts.document_store import DocumentStore
from stores.contracts.samples import SECOND, Point
from stores.contracts.series import WritableSeriesStore
from stores.entities.devices import Device
from tests.schema.client import Client
from tests.schema.machines import DAY, HOUR, MINUTE, device, iso, put, write


async def test_the_status_is_the_newest_of_each_field_and_how_old_it_is(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    old = time.time_ns() - 2 * HOUR
    await write(series, [put("state", "M0", old, power=True, mode="AUTOMATIC")])
    await write(series, [put("state", "M0", old + 3 * MINUTE + 7, execution="ACTIVE")])
    machine = await device(client, plant, "status { power execution mode at age stale } connected")
    status = machine["status"]
    assert (status["power"], status["execution"], status["mode"]) == (True, "ACTIVE", "AUTOMATIC")
    assert status["at"].endswith("Z")
    assert f"{(old + 3 * MINUTE + 7) % SECOND:09}".rstrip("0") in status["at"]
    assert status["age"].startswith("PT1H5")
    assert status["stale"] is True
    assert machine["connected"] is True


async def test_a_machine_that_never_reported_has_no_status(client: Client, plant: str) -> None:
    latest = 'latest(measurement: "state", field: "power") { value }'
    selection = f"status {{ power }} connected events {{ nodes {{ value }} }} {latest}"
    assert await device(client, plant, selection) == {
        "status": None,
        "connected": False,
        "events": {"nodes": []},
        "latest": None,
    }


async def test_a_machine_that_was_on_this_morning_is_connected(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    now = time.time_ns()
    await write(
        series,
        [
            put("state", "M0", now - 20 * HOUR, power=True),
            put("state", "M0", now - HOUR, power=False),
            put("state", "M1", now - 30 * HOUR, power=True),
        ],
    )
    query = """query($o: String!) { application(organizationId: $o, applicationId: "cnc") {
        connectedDeviceCount lastActivity devices { nodes { machineId connected status { power } } } } }"""
    application = (await client.run(query, o=plant))["application"]
    assert [node["connected"] for node in application["devices"]["nodes"]] == [True, False, False]
    assert [node["status"] and node["status"]["power"] for node in application["devices"]["nodes"]] == [
        False,
        True,
        None,
    ]
    assert application["connectedDeviceCount"] == 1
    assert application["lastActivity"].startswith(iso(now - HOUR)[:19])


STRANGE = [
    "O'Brien",
    'x") OR ("1"="1',
    "x') OR ('1'='1",
    "back\\slash",
    "${m0}",
    "line\nfeed",
    "ü €",
    "a,b=c d",
]


@pytest.mark.parametrize("name", STRANGE)
async def test_a_strange_name_finds_its_machine_and_no_other(
    client: Client, series: WritableSeriesStore, name: str
) -> None:
    now = time.time_ns()
    names = [*STRANGE, "O", "x", "1"]
    await write(series, [put("state", name, now, power=True, execution=name) for name in names], "machines")
    query = """query($machine: String!) { machine(machineId: $machine) {
        machineId status { execution } events(includeHeartbeats: true) { nodes { machineId } } } }"""
    machine = (await client.run(query, machine=name))["machine"]
    events = {"nodes": [{"machineId": name}]}
    assert machine == {"machineId": name, "status": {"execution": name}, "events": events}


async def test_organizations_with_a_database_of_their_own_read_no_other(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    await write(series, [put("state", "M0", time.time_ns(), power=True)], database="elsewhere")
    assert (await device(client, plant, "status { power }"))["status"] is None


EVERYTHING = """query($o: String!, $first: Int!) {
  application(organizationId: $o, applicationId: "cnc") {
    devices(first: $first) { nodes {
      machineId connected
      status { power }
      events(first: 2, includeHeartbeats: true) { nodes { value } }
      series(measurement: "state", field: "execution", range: {last: "PT1H"},
        every: {duration: "PT5M"}, aggregate: COUNT) { count }
      states(range: {last: "PT1H"}) { durations { share } }
    } } } }"""
PRICE = {
    "latest state power,execution,mode": 1,
    "neighbours state power,execution,mode": 1,
    "machines_with state power": 1,
    "last_by_machine": 1,
    "windows state execution": 1,
    "changes state power,execution,mode": 1,
}


@pytest.mark.slow
@pytest.mark.parametrize("machines", [1, 100, 1000])
async def test_the_number_of_queries_is_the_same_for_any_number_of_machines(
    client: Client, plant: str, documents: DocumentStore, series: WritableSeriesStore, machines: int
) -> None:
    names = [f"A{i:04}" for i in range(machines)]
    database = documents.database(plant)
    await database.delete(Device.collection_of("cnc"), [])
    await database.upsert(
        Device.collection_of("cnc"), [{"_id": ObjectId(), "machineId": name, "name": name} for name in names]
    )
    now = time.time_ns()
    await write(series, [put("state", name, now - SECOND, power=True, execution=name) for name in names])
    data = await client.run(EVERYTHING, o=plant, first=1000)
    nodes = data["application"]["devices"]["nodes"]
    assert len(nodes) == machines
    assert all(node["events"]["nodes"][0]["value"] == node["machineId"] for node in nodes)
    assert all(node["series"]["count"] == 1 and node["connected"] for node in nodes)
    assert {call: client.series_calls.count(call) for call in client.series_calls} == PRICE


async def test_many_machines_and_fields_are_one_query_a_measurement(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    now = time.time_ns()
    for i in range(3):
        await write(series, [put("state", f"M{i}", now - MINUTE, power=True, execution="ACTIVE")])
        await write(series, [put("production", f"M{i}", now - MINUTE, pieces_produced=i)])
    query = """query($machines: [MachineRef!]!) { series(machines: $machines, range: {last: "PT24H"},
        every: {duration: "PT1M"}, aggregate: LAST, fields: [{measurement: "state", field: "power"},
        {measurement: "state", field: "execution"}, {measurement: "production", field: "pieces_produced"}]) {
        device { machineId } series { field values } } }"""
    machines = [{"organizationId": plant, "applicationId": "cnc", "machineId": f"M{i}"} for i in range(3)]
    entries = (await client.run(query, machines=machines))["series"]
    assert [(entry["device"]["machineId"], entry["series"]["field"]) for entry in entries[:4]] == [
        ("M0", "power"),
        ("M0", "execution"),
        ("M0", "pieces_produced"),
        ("M1", "power"),
    ]
    assert [entry["series"]["values"] for entry in entries[6:]] == [[True], ["ACTIVE"], [2]]
    assert len(client.series_calls) == 2


async def test_a_machine_that_does_not_exist_costs_its_own_entry(client: Client, plant: str) -> None:
    query = """query($machines: [MachineRef!]!) { series(machines: $machines, range: {last: "PT24H"},
        fields: [{measurement: "state", field: "power"}]) { device { machineId } series { count } } }"""
    owners = [(plant, "nobody"), (plant, "M0"), ("not a name!", "M0"), ("another", "M0")]
    machines = [
        {"organizationId": owner, "applicationId": "cnc", "machineId": machine} for owner, machine in owners
    ]
    for _ in range(2):  # the second run is compiled
        response = await client.send(query, machines=machines)
        entries = response["data"]["series"]
        assert [entry and entry["device"]["machineId"] for entry in entries] == [None, "M0", None, None]
        assert [(error["path"], error["extensions"]["code"]) for error in response["errors"]] == [
            (["series", 0], "NOT_FOUND"),
            (["series", 2], "BAD_USER_INPUT"),
            (["series", 3], "NOT_FOUND"),
        ]


@pytest.mark.parametrize(
    "arguments",
    [
        'range: {last: "PT0S"}',
        'range: {last: "PT1H"}, fill: NULL',
        'range: {last: "PT1H"}, aggregate: MAX, every: {duration: "PT0S"}',
    ],
)
async def test_a_request_that_is_wrong_for_every_machine_is_one_error(
    client: Client, plant: str, arguments: str
) -> None:
    refs = ", ".join(
        f'{{organizationId: "{plant}", applicationId: "cnc", machineId: "M{n}"}}' for n in range(3)
    )
    fields = 'fields: [{measurement: "state", field: "power"}]'
    response = await client.send(
        f"{{ series(machines: [{refs}], {fields}, {arguments}) {{ series {{ count }} }} }}"
    )
    assert response["data"] == {"series": None}
    assert [error["extensions"]["code"] for error in response["errors"]] == ["BAD_USER_INPUT"]


async def test_analytics_of_an_organization_count_its_machines_alone(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    now = time.time_ns()
    await write(
        series,
        [
            put("state", "M0", now - MINUTE, power=True, execution="ACTIVE"),
            put("state", "stranger", now - MINUTE, power=True, execution="READY", mode="MDI"),
            put("state", "stranger", now - 3 * DAY, execution="STOPPED"),
            Point("state", (), {"power": True}, now),
        ],
    )
    figures = "connectedDevices registeredDevices registeredApplications eventsProcessed storageGigabytes"
    query = f"""query($o: String!) {{ organization(organizationId: $o) {{
        analytics {{ {figures} events(includeHeartbeats: true) {{ nodes {{ machineId }} }} }} }}
        analytics {{ {figures} events(includeHeartbeats: true) {{ nodes {{ machineId value }} }}
        all: connectedDevices(includeUnregistered: true) day: eventsProcessed(range: {{last: "P1D"}}) }} }}"""
    data = await client.run(query, o=plant)
    assert data["organization"]["analytics"] == {
        "connectedDevices": 1,
        "registeredDevices": 3,
        "registeredApplications": 1,
        "eventsProcessed": 1,
        "storageGigabytes": 1e-5,
        "events": {"nodes": [{"machineId": "M0"}]},
    }
    everybody = data["analytics"]
    assert (everybody["connectedDevices"], everybody["all"]) == (1, 3)
    assert (everybody["eventsProcessed"], everybody["day"]) == (4, 3)
    assert [event["value"] for event in everybody["events"]["nodes"]] == ["ACTIVE", "READY", "MDI"]


async def test_the_total_of_a_processor_is_returned(client: Client, series: WritableSeriesStore) -> None:
    now = time.time_ns()
    for age in (10, 20, 90):
        for core, idle in (("cpu-total", 75.0), ("cpu0", 5.0)):
            tags = (("cpu", core), ("host", "edge"))
            await write(
                series, [Point("cpu", tags, {"usage_idle": idle}, now - age * SECOND)], "server__stats"
            )
    await write(
        series, [Point("mem", (("host", "edge"),), {"available_percent": 40.0}, now)], "server__stats"
    )
    analytics = (await client.run("{ analytics { cpu { host free usage } memory { free usage } } }"))[
        "analytics"
    ]
    assert analytics["cpu"] == [{"host": "edge", "free": 75.0, "usage": 25.0}] * 2
    assert analytics["memory"] == [{"free": 40.0, "usage": 60.0}]


async def test_a_clock_that_is_ahead_does_not_freeze_the_status(
    client: Client, plant: str, series: WritableSeriesStore
) -> None:
    now = time.time_ns()
    await write(series, [put("state", "M0", now - 3 * MINUTE, power=True, execution="READY")])
    await write(series, [put("state", "M0", now - MINUTE, execution="ACTIVE")])
    await write(series, [put("state", "M0", now + DAY, power=True, execution="FROZEN")])
    machine = await device(
        client,
        plant,
        "status { power execution at powerAt executionAt modeAt stale } connected"
        ' latest(measurement: "state", field: "execution") { value }',
    )
    status = machine["status"]
    assert (status["power"], status["execution"], status["modeAt"], status["stale"]) == (
        True,
        "ACTIVE",
        None,
        False,
    )
    assert status["at"] == status["executionAt"] > status["powerAt"]
    assert machine["latest"] == {"value": "ACTIVE"}
    await write(series, [put("state", "M1", now + DAY, power=True)])
    counts = await client.run(
        "query($o: String!) { organization(organizationId: $o) {"
        " analytics { connectedDevices all: connectedDevices(includeFuture: true) } } }",
        o=plant,
    )
    assert counts["organization"]["analytics"] == {"connectedDevices": 1, "all": 2}
