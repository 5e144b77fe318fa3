"""The numbers of registered devices and applications, over organizations."""

from typing import Any

from compat_rest.routes.route import get
from compat_rest.routes.shapes import OldRequest

DEFAULT_ORGANIZATION = "autentiodev"  # whose devices are counted if the query names no organization


def shape_registered_devices(data: Any, request: OldRequest) -> Any:
    return {"count": (data["organization"] or {"deviceCount": 0})["deviceCount"]}


def shape_all_registered_devices(data: Any, request: OldRequest) -> Any:
    return {"count": sum(organization["deviceCount"] for organization in data["organizations"]["nodes"])}


def shape_registered_applications(data: Any, request: OldRequest) -> Any:
    return {"count": sum(organization["applicationCount"] for organization in data["organizations"]["nodes"])}


def shape_all_applications(data: Any, request: OldRequest) -> Any:
    return [
        {
            "applicationId": application["applicationId"],
            "name": application["name"],
            "description": application["description"] or "",
            "status": application["status"] or "active",
            "deviceCount": application["deviceCount"],
            "organizationId": organization["organizationId"],
        }
        for organization in data["organizations"]["nodes"]
        for application in organization["applications"]
    ]


ROUTES = (
    get(
        "/api/query/registered", "RegisteredDevices", shape_registered_devices,
        query={"organizationId": DEFAULT_ORGANIZATION},
    ),
    get("/api/query/registered/all", "AllRegisteredDevices", shape_all_registered_devices),
    get("/api/query/apps-registered", "RegisteredApplications", shape_registered_applications),
    get("/api/query/applications", "AllApplications", shape_all_applications),
)  # fmt: skip
