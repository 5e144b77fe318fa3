"""The time series of machines and of the server: their events, status and counts."""

from datetime import datetime
from typing import Any

from compat_rest.routes.route import Parameters, get
from compat_rest.routes.shapes import OldRequest, Shape, is_unavailable
from schema.server.bodies import BadRequest

MACHINE = "/device/{machineId}"


def check_machine(parameters: Parameters, body: Any) -> dict[str, Any]:
    if not parameters["machineId"].strip():
        raise BadRequest(400, "Invalid machineId")
    return dict(parameters)


def answer_details_as(text: str, *, unavailable: str | None = None) -> Shape:
    """An error with a text of the route's own; `unavailable` replaces it if the store is unavailable.

    The details name neither files nor servers.
    """

    def shape(error: Any, request: OldRequest) -> Any:
        if is_unavailable(error):
            return {"error": unavailable or text, "details": "The time-series store is unavailable"}
        return {"error": text, "details": error["message"]}

    return shape


def to_milliseconds(time: str) -> float:
    """Milliseconds since 1970 of a time with up to nine digits after the second."""
    seconds, _, digits = time.removesuffix("Z").partition(".")
    whole_ms = int(datetime.fromisoformat(f"{seconds}+00:00").timestamp()) * 1000
    nanoseconds = int(digits.ljust(9, "0"))
    return to_number((whole_ms * 1_000_000 + nanoseconds) / 1_000_000)


def to_number(number: float) -> float:
    """The number as JavaScript writes it: an integer if it has no fraction."""
    return int(number) if number == int(number) else number


def shape_event(event: dict[str, Any]) -> dict[str, Any]:
    """An event of the measurement `events` has fixed words as its id and class, as old clients expect."""
    is_own = event["source"] == "events"
    return {
        "time": to_milliseconds(event["time"]),
        "machine_id": event["machineId"],
        "event_id": "event_id" if is_own else event["eventId"],
        "event_value": event["value"],
        "event_class": "event_class" if is_own else event["eventClass"],
    }


def shape_machine_events(data: Any, request: OldRequest) -> Any:
    return [shape_event(event) for event in data["machine"]["events"]["nodes"]]


def shape_events(data: Any, request: OldRequest) -> Any:
    return [shape_event(event) for event in data["analytics"]["events"]["nodes"]]


def shape_power(data: Any, request: OldRequest) -> Any:
    latest = data["machine"]["latest"]
    return {"power": latest and latest["value"]}


def shape_connected(data: Any, request: OldRequest) -> Any:
    return {"count": data["analytics"]["connectedDevices"]}


def shape_processed(data: Any, request: OldRequest) -> Any:
    return {"count": to_number(data["analytics"]["eventsProcessed"])}


def shape_storage(data: Any, request: OldRequest) -> Any:
    return {"storage": to_number(data["analytics"]["storageGigabytes"])}


def shape_processor(data: Any, request: OldRequest) -> Any:
    """The oldest sample; `cpu_usage` is the idle share, as in the original."""
    oldest = data["analytics"]["cpu"][-1:]
    return [
        {"time": to_milliseconds(sample["time"]), "cpu_usage": to_number(sample["free"])} for sample in oldest
    ]


def shape_memory(data: Any, request: OldRequest) -> Any:
    return [{"ram_usage": to_number(sample["usage"])} for sample in data["analytics"]["memory"][-1:]]


EVENTS_ERROR = answer_details_as("Error querying InfluxDB: get failed for queryEventsByMachineId")
STATUS_ERROR = answer_details_as(
    "Error querying InfluxDB: get failed for queryStatusByMachineId",
    unavailable="InfluxDB service unavailable",
)

ROUTES = (
    get(f"{MACHINE}/events", "MachineEvents", shape_machine_events, error=EVENTS_ERROR),
    get(f"{MACHINE}/status", "MachineStatus", shape_power, variables=check_machine, error=STATUS_ERROR),
    get("/api/query/connected", "ConnectedDevices", shape_connected, error=answer_details_as("Error getting connected devices")),
    get("/api/query/events", "Events", shape_events, error=answer_details_as("Error getting events")),
    get("/api/query/events/processed", "EventsProcessed", shape_processed, error=answer_details_as("Error getting events processed")),
    get("/api/query/events/processed-24h", "EventsProcessed24h", shape_processed, error=answer_details_as("Error getting events processed 24h")),
    get("/api/query/cpu", "Processor", shape_processor, when_unavailable=[]),
    get("/api/query/ram", "Memory", shape_memory, when_unavailable=[]),
    get("/api/query/storage", "Storage", shape_storage, when_unavailable={"storage": 0}),
)  # fmt: skip
