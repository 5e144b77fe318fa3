"""The old JSON shapes: from the data of an operation to the body that old clients know."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

SETTINGS = ("name", "description", "email", "website")
FUNCTION = ("name", "type", "expression", "variables", "events", "counter", "description")
HIDDEN = ("_id", "applicationId", "createdAt", "updatedAt")  # never answered of event classes and functions


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asked for: the parameters of its path and query, and its body (None: there was none)."""

    parameters: Mapping[str, str]
    body: Any


class Missing(Exception):
    """What was asked for is not there: 404 with this text."""


Shape = Callable[[Any, Asked], Any]


def constant(**body: Any) -> Shape:
    return lambda data, asked: body


def nothing(data: Any, asked: Asked) -> None:
    return None


def without(document: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in names}


def there(value: Any, what: str) -> Any:
    if value is None:
        raise Missing(f"{what} not found")
    return value


def pairs(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {entry["key"]: entry["value"] for entry in entries}


def payload(data: Any) -> Any:
    """The changed thing of a mutation's payload."""
    [inner] = data.values()
    [thing] = inner.values()
    return thing


# Errors: from an error of the operation to the body


def error(failed: Any, asked: Asked) -> Any:
    return {"error": failed["message"]}


def error_saying(text: str, *, only: str) -> Shape:
    return lambda failed, asked: {
        "error": text if failed["extensions"]["code"] == only else failed["message"]
    }


def failed_to(what: str) -> Shape:
    def shape(failed: Any, asked: Asked) -> Any:
        if failed["extensions"]["code"] == "CONFLICT":
            return {"error": f"Failed to {what}", "message": failed["message"]}
        return {"error": failed["message"]}

    return shape


def failing(what: str, *, down: str | None = None) -> Shape:
    """The error of a route of the time series; `down` is said where their store does not answer."""

    def shape(failed: Any, asked: Asked) -> Any:
        unavailable = failed["extensions"]["code"] == "UNAVAILABLE"
        return {"error": down if down and unavailable else what, "details": failed["message"]}

    return shape


def toggle_error(failed: Any, asked: Asked) -> Any:
    coerced = "path" not in failed
    return {"error": "Invalid value for enabled field" if coerced else failed["message"]}


def legacy_error(failed: Any, asked: Asked) -> Any:
    taken = failed["extensions"]["code"] == "CONFLICT"
    context = {"machineId": asked.body.get("machineId")} if taken else {}
    return {"errors": [{"message": failed["message"], "context": context}]}


# Organizations


def organizations(data: Any, asked: Asked) -> Any:
    return [
        {
            "id": each["organizationId"],
            "name": each["organizationId"],
            "sizeOnDisk": int(each["sizeOnDisk"] or 0),
            "empty": False,
            "applicationCount": each["applicationCount"],
            "userCount": each["userCount"],
        }
        for each in data["organizations"]["nodes"]
    ]


def organization(data: Any, asked: Asked) -> Any:
    found = payload(data) if "updateOrganization" in data else data["organization"]
    stored = pairs(there(found, "Organization")["config"])
    if not stored:
        raise Missing("Organization not found")
    shown = {key: stored[key] for key in SETTINGS[1:] if key in stored}
    return {"id": found["organizationId"], "name": stored.get("name") or found["organizationId"], **shown}


def organization_config(data: Any, asked: Asked) -> Any:
    stored = pairs(there(data["organization"], "Organization")["config"])
    return there(stored or None, "Organization")


def organization_stats(data: Any, asked: Asked) -> Any:
    found = data["organization"] or {"config": [], "applications": []}
    stored = pairs(found["config"])
    seeded = {"id": "organizationId", "name": "organizationName", "status": "status"}
    listed = [
        {
            "applicationId": each["applicationId"],
            "applicationName": each["name"],
            "deviceCount": each["deviceCount"],
            "status": each["status"],
        }
        for each in found["applications"]
    ]
    return {
        "organization": {name: stored[key] for name, key in seeded.items() if key in stored},
        "applications": len(listed),
        "totalDevices": sum(each["deviceCount"] for each in listed),
        "applicationsList": listed,
    }


def _user(found: dict[str, Any]) -> dict[str, Any]:
    return {"id": found["documentId"], **without(found, "documentId")}


def users(data: Any, asked: Asked) -> Any:
    return [_user(each) for each in (data["organization"] or {"users": []})["users"]]


def user(data: Any, asked: Asked) -> Any:
    return _user(payload(data))


def created_gateway(data: Any, asked: Asked) -> Any:
    kept = payload(data)["document"]
    hidden = ("_id",) if "location" in asked.body else ("_id", "location")
    return {**without(kept, *hidden), "_id": kept["_id"]}


# Applications


def _settings(found: dict[str, Any]) -> dict[str, Any]:
    """The settings; `updatedAt` only once there was an update."""
    return found if found["updatedAt"] else without(found, "updatedAt")


def applications(data: Any, asked: Asked) -> Any:
    found = (data["organization"] or {"applications": []})["applications"]
    return [_settings(without(each, "createdAt")) | {"lastModified": _modified(each)} for each in found]


def _modified(found: dict[str, Any]) -> str:
    """When it was last changed; of what keeps no time at all it is now, as it always was."""
    return str(found["updatedAt"] or found["createdAt"] or _now())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def application(data: Any, asked: Asked) -> Any:
    return _settings(there(data["application"], "Application"))


def created_application(data: Any, asked: Asked) -> Any:
    found = payload(data)
    status = asked.body.get("status", found["status"])
    return {**found, "status": status, "updatedAt": found["createdAt"]}


def updated_application(data: Any, asked: Asked) -> Any:
    return without(payload(data), "applicationId")


def application_stats(data: Any, asked: Asked) -> Any:
    count = (data["application"] or {"deviceCount": 0})["deviceCount"]
    return {"applicationId": asked.parameters["applicationId"], "deviceCount": count, "lastActivity": _now()}


def properties(data: Any, asked: Asked) -> Any:
    return (data["application"] or {"properties": []})["properties"]


def config(data: Any, asked: Asked) -> Any:
    return {entry["key"]: entry.get("value") for entry in data["documents"] if "key" in entry}


# Devices and connectors


def documents(data: Any, asked: Asked) -> Any:
    return data["documents"]


def device(data: Any, asked: Asked) -> Any:
    return there(data["device"], "Device")["document"]


def created_device(data: Any, asked: Asked) -> Any:
    return without(payload(data)["document"], "_id")


def written(data: Any, asked: Asked) -> Any:
    return {
        "acknowledged": True,
        "modifiedCount": 1,
        "upsertedId": None,
        "upsertedCount": 0,
        "matchedCount": 1,
    }


def legacy_device(data: Any, asked: Asked) -> Any:
    return payload(data)["document"]


def found_legacy_device(data: Any, asked: Asked) -> Any:
    return there(data["legacyDevice"], "Device")["document"]


def template(data: Any, asked: Asked) -> Any:
    return there((data["organization"] or {}).get("connector"), "Connector")["document"]


def connector(data: Any, asked: Asked) -> Any:
    return payload(data)["document"]


def updated_connector(data: Any, asked: Asked) -> Any:
    return without(payload(data)["document"], "_id")


# Event classes and functions


def items(data: Any, asked: Asked) -> Any:
    return [without(each, *HIDDEN) for each in data["documents"]]


def event_class(data: Any, asked: Asked) -> Any:
    return without(payload(data)["document"], *HIDDEN)


def event_classes(data: Any, asked: Asked) -> Any:
    return [without(each["document"], *HIDDEN) for each in payload(data)]


def function(data: Any, asked: Asked) -> Any:
    return without(payload(data)["document"], *HIDDEN)


def created_function(data: Any, asked: Asked) -> Any:
    found = function(data, asked)
    return found if "counter" in asked.body else without(found, "counter")


# Services


def services(data: Any, asked: Asked) -> Any:
    return [each["document"] for each in data["services"]]


def service(data: Any, asked: Asked) -> Any:
    return payload(data)["document"]


def found_service(data: Any, asked: Asked) -> Any:
    return there(data["service"], "Service")["document"]


# Icons


def icon(data: Any, asked: Asked) -> Any:
    return there(data["icon"], "Icon")


def uploaded_icon(data: Any, asked: Asked) -> Any:
    category, name = asked.parameters["category"], asked.parameters["name"]
    return {
        "message": "Icon uploaded successfully",
        "path": f"/api/library/{category}/{name}/icon",
        "filename": f"{name.lower()}.{payload(data)['format']}",
        "category": category,
        "name": name,
    }


# Counts


def registered(data: Any, asked: Asked) -> Any:
    return {"count": (data["organization"] or {"deviceCount": 0})["deviceCount"]}


def all_registered(data: Any, asked: Asked) -> Any:
    return {"count": sum(each["deviceCount"] for each in data["organizations"]["nodes"])}


def registered_applications(data: Any, asked: Asked) -> Any:
    return {"count": sum(each["applicationCount"] for each in data["organizations"]["nodes"])}


def all_applications(data: Any, asked: Asked) -> Any:
    return [
        {
            "applicationId": each["applicationId"],
            "name": each["name"],
            "description": each["description"] or "",
            "status": each["status"] or "active",
            "deviceCount": each["deviceCount"],
            "organizationId": owner["organizationId"],
        }
        for owner in data["organizations"]["nodes"]
        for each in owner["applications"]
    ]


# What machines reported


def milliseconds(time: str) -> float:
    """Milliseconds since 1970 of a time with up to nine digits below the second."""
    seconds, _, digits = time.removesuffix("Z").partition(".")
    whole = int(datetime.fromisoformat(f"{seconds}+00:00").timestamp()) * 1000
    nanoseconds = int(digits.ljust(9, "0"))
    return plain((whole * 1_000_000 + nanoseconds) / 1_000_000)


def plain(number: float) -> float:
    """A number as JavaScript writes it: without a fraction where it has none."""
    return int(number) if number == int(number) else number


def event(told: dict[str, Any]) -> dict[str, Any]:
    """An event of the `events` measurement has these words for its id and class: clients know no others."""
    own = told["source"] == "events"
    return {
        "time": milliseconds(told["time"]),
        "machine_id": told["machineId"],
        "event_id": "event_id" if own else told["eventId"],
        "event_value": told["value"],
        "event_class": "event_class" if own else told["eventClass"],
    }


def machine_events(data: Any, asked: Asked) -> Any:
    return [event(each) for each in data["machine"]["events"]]


def events(data: Any, asked: Asked) -> Any:
    return [event(each) for each in data["analytics"]["events"]]


def power(data: Any, asked: Asked) -> Any:
    latest = data["machine"]["latest"]
    return {"power": latest and latest["value"]}


def connected(data: Any, asked: Asked) -> Any:
    return {"count": data["analytics"]["connectedDevices"]}


def processed(data: Any, asked: Asked) -> Any:
    return {"count": plain(data["analytics"]["eventsProcessed"])}


def storage(data: Any, asked: Asked) -> Any:
    return {"storage": plain(data["analytics"]["storageGigabytes"])}


def processor(data: Any, asked: Asked) -> Any:
    """The oldest sample; the idle share goes by the name of usage, as clients know it."""
    oldest = data["analytics"]["cpu"][-1:]
    return [{"time": milliseconds(each["time"]), "cpu_usage": plain(each["free"])} for each in oldest]


def memory(data: Any, asked: Asked) -> Any:
    return [{"ram_usage": plain(each["usage"])} for each in data["analytics"]["memory"][-1:]]
