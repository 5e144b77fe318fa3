"""The nine old routes of the time series over points that a client wrote."""

import time
from typing import Any

import httpx
import pytest

from stores.contracts.samples import Point
from stores.contracts.series import WritableSeriesStore

SECOND = 1_000_000_000
HOUR = 3600 * SECOND


async def write(client: httpx.AsyncClient, *lines: str, bucket: str = "machines") -> None:
    path = f"/api/v2/write?bucket={bucket}&precision=ns"
    response = await client.post(path, content="\n".join(lines).encode())
    assert response.status_code == 204, response.text


async def get(client: httpx.AsyncClient, path: str) -> Any:
    response = await client.get(path)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize(
    ("written", "power"), [("true", True), ("false", False), ("1i", 1), ('"ON"', "ON"), ("0.5", 0.5)]
)
async def test_status_is_the_power_as_it_was_written(
    client: httpx.AsyncClient, written: str, power: Any
) -> None:
    now = time.time_ns()
    await write(client, f"state,machine_id=M1 power={written} {now - 9000 * HOUR}")
    await write(client, f'state,machine_id=M1 execution="ACTIVE" {now}')
    assert await get(client, "/device/M1/status") == {"power": power}
    assert await get(client, "/device/m1/status") == {"power": None}


async def test_an_unknown_machine_has_no_status_and_no_events(client: httpx.AsyncClient) -> None:
    assert await get(client, "/device/M9/status") == {"power": None}
    assert await get(client, "/device/M9/events") == []
    assert await get(client, "/device/%20%20/events") == []
    blank = await client.get("/device/%20%20/status")
    assert (blank.status_code, blank.json()) == (400, {"error": "Invalid machineId"})


async def test_events_are_the_last_twenty_of_a_day_newest_first(client: httpx.AsyncClient) -> None:
    now = time.time_ns() // SECOND * SECOND
    await write(client, f"production,machine_id=M1 pieces_produced=9007199254740993i {now - 2 * SECOND}")
    await write(client, f'state,machine_id=M1 execution="ACTIVE",mode="MANUAL",power=true {now + 1_015_720}')
    await write(
        client, f'events,machine_id=M1,event_id=a,event_class=ALARM event_value="" {now + 240 * SECOND}'
    )
    await write(
        client, f'state,machine_id=M1 mode="OLD" {now - 25 * HOUR}', f'state,machine_id=M2 mode="X" {now}'
    )
    events = await get(client, "/device/M1/events")
    assert [list(item) for item in events] == [
        ["time", "machine_id", "event_id", "event_value", "event_class"]
    ] * 4
    milliseconds = now // 1_000_000
    assert [tuple(item.values()) for item in events] == [
        (milliseconds + 240_000, "M1", "event_id", "", "event_class"),
        (milliseconds + 1.01572, "M1", "execution", "ACTIVE", "execution"),
        (milliseconds + 1.01572, "M1", "mode", "MANUAL", "mode"),
        (milliseconds - 2000, "M1", "pieces_produced", "9007199254740993", "pieces_produced"),
    ]
    await write(client, *(f'state,machine_id=M1 mode="{n}" {now - n * SECOND}' for n in range(3, 40)))
    assert len(await get(client, "/device/M1/events")) == 20


async def test_events_of_all_machines_name_their_machine_or_null(client: httpx.AsyncClient) -> None:
    now = time.time_ns()
    await write(client, f'state mode="A" {now}', f'state,machine_id=M2 mode="B" {now - SECOND}')
    events = await get(client, "/api/query/events")
    assert [(item["machine_id"], item["event_value"]) for item in events] == [(None, "A"), ("M2", "B")]


async def test_connected_counts_machines_with_power_within_a_day(client: httpx.AsyncClient) -> None:
    now = time.time_ns()
    assert await get(client, "/api/query/connected") == {"count": 0}
    await write(client, *(f"state,machine_id=M1 power=true {now - n * SECOND}" for n in range(5)))
    await write(client, f"state,machine_id=M1 power=false {now}", f"state power=true {now}")
    await write(client, f"state,machine_id=M2 power=true {now - 25 * HOUR}")
    await write(client, f"state,machine_id=M3 power=false {now}")
    assert await get(client, "/api/query/connected") == {"count": 2}


async def test_events_are_counted_of_a_day_and_of_all_time(client: httpx.AsyncClient) -> None:
    now = time.time_ns()
    lines = [f'state,machine_id=M{n % 7} mode="A" {now - 48 * HOUR + n}' for n in range(2000)]
    await write(client, *lines, *(f"production pieces_produced={n}i {now - n}" for n in range(85)))
    assert await get(client, "/api/query/events/processed-24h") == {"count": 85}
    assert await get(client, "/api/query/events/processed") == {"count": 2085}
    assert await get(client, "/api/query/storage") == {"storage": 0.02085}


async def test_cpu_and_ram_are_the_oldest_of_the_last_minute(client: httpx.AsyncClient) -> None:
    assert await get(client, "/api/query/cpu") == []
    assert await get(client, "/api/query/ram") == []
    now = time.time_ns() // SECOND * SECOND
    cpu = [
        f"cpu,cpu={name},host=h usage_idle={idle} {now - ago * SECOND}"
        for ago, idle in ((90, 1.0), (30, 42.5), (10, 3.0))
        for name in ("cpu0", "cpu-total")
    ]
    cpu[2] = f"cpu,cpu=cpu0,host=h usage_idle=7.0 {now - 30 * SECOND}"
    memory = [
        f"mem,host=h available_percent={free} {now - ago * SECOND}" for ago, free in ((40, 25.0), (5, 90.0))
    ]
    await write(client, *cpu, *memory, bucket="server__stats")
    milliseconds = now // 1_000_000
    assert await get(client, "/api/query/cpu") == [{"time": milliseconds - 30_000, "cpu_usage": 42.5}]
    assert await get(client, "/api/query/ram") == [{"ram_usage": 75.0}]


async def test_an_unavailable_store_is_reported_in_the_shape_of_each_route(
    down_client: httpx.AsyncClient,
) -> None:
    await check_failures(down_client)


async def test_so_is_a_server_that_refuses_to_read_as_much(refusing_client: httpx.AsyncClient) -> None:
    await check_failures(refusing_client)


async def check_failures(client: httpx.AsyncClient) -> None:
    status = await client.get("/device/M1/status")
    assert (status.status_code, status.json()["error"]) == (503, "InfluxDB service unavailable")
    for path, error in (
        ("/device/M1/events", "Error querying InfluxDB: get failed for queryEventsByMachineId"),
        ("/api/query/connected", "Error getting connected devices"),
        ("/api/query/events", "Error getting events"),
        ("/api/query/events/processed", "Error getting events processed"),
        ("/api/query/events/processed-24h", "Error getting events processed 24h"),
    ):
        response = await client.get(path)
        assert (response.status_code, response.json()["error"]) == (503, error)
        assert "series.db" not in response.text
    assert await get(client, "/api/query/storage") == {"storage": 0}
    assert await get(client, "/api/query/cpu") == []
    assert await get(client, "/api/query/ram") == []


async def test_points_in_the_future_count(client: httpx.AsyncClient, series: WritableSeriesStore) -> None:
    """As in the old system, also where the clock of a machine is further ahead than the graph regards."""
    ahead = time.time_ns() + 5 * HOUR
    point = Point("state", (("machine_id", "M1"),), {"power": True, "mode": "AHEAD"}, ahead)
    assert await series.write("machines", [point]) == [None]
    assert await get(client, "/device/M1/status") == {"power": True}
    assert {event["event_value"] for event in await get(client, "/device/M1/events")} >= {"AHEAD"}
    assert await get(client, "/api/query/connected") == {"count": 1}
