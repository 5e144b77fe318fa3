"""The applications of an organization, their settings and statistics."""

from datetime import UTC, datetime
from typing import Any

from compat_rest.routes.route import (
    APPLICATION,
    OLDER_APPLICATION,
    ORGANIZATION,
    Required,
    delete,
    from_fields,
    get,
    post,
    put,
)
from compat_rest.routes.shapes import OldRequest, read_payload, require, without

APPLICATION_FIELDS = Required("Application ID and name are required", ("applicationId", "name"))


def _shape_settings(application: dict[str, Any]) -> dict[str, Any]:
    """The settings; `updatedAt` only after an update, `createdAt` only if the old system has stored it."""
    hidden = ("document", "createdAt") if application["updatedAt"] else ("document", "createdAt", "updatedAt")
    created = {k: v for k, v in application["document"].items() if k == "createdAt"}
    return {**without(application, *hidden), **created}


def shape_applications(data: Any, request: OldRequest) -> Any:
    applications = (data["organization"] or {"applications": []})["applications"]
    return [
        _shape_settings(application) | {"lastModified": _get_last_modified(application)}
        for application in applications
    ]


def _get_last_modified(application: dict[str, Any]) -> str:
    """The time of the last change; the current time if no time is stored, as in the original."""
    return str(application["updatedAt"] or application["createdAt"] or _format_now())


def _format_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shape_application(data: Any, request: OldRequest) -> Any:
    return _shape_settings(require(data["application"], "Application"))


def shape_created_application(data: Any, request: OldRequest) -> Any:
    """`status` is answered as it was sent, even if another value is stored."""
    application = read_payload(data)
    status = request.body.get("status", application["status"])
    times = {"createdAt": application["createdAt"], "updatedAt": application["createdAt"]}
    return {**_shape_settings(application), "status": status, **times}


def shape_updated_application(data: Any, request: OldRequest) -> Any:
    return without(_shape_settings(read_payload(data)), "applicationId")


def shape_statistics(data: Any, request: OldRequest) -> Any:
    count = (data["application"] or {"deviceCount": 0})["deviceCount"]
    application_id = request.parameters["applicationId"]
    return {"applicationId": application_id, "deviceCount": count, "lastActivity": _format_now()}


def shape_properties(data: Any, request: OldRequest) -> Any:
    return (data["application"] or {"properties": []})["properties"]


def shape_config(data: Any, request: OldRequest) -> Any:
    return {entry["key"]: entry.get("value") for entry in data["documents"] if "key" in entry}


ROUTES = (
    get(f"{ORGANIZATION}/applications", "Applications", shape_applications),
    post(
        f"{ORGANIZATION}/applications", "CreateApplication", shape_created_application,
        from_fields("applicationId", "name", "description", "status"), APPLICATION_FIELDS,
    ),
    get(APPLICATION, "Application", shape_application),
    put(APPLICATION, "UpdateApplication", shape_updated_application, from_fields("name", "description", "status")),
    delete(APPLICATION, "DeleteApplication", "Application deleted successfully"),
    get(f"{APPLICATION}/properties", "Properties", shape_properties),
    get(f"{OLDER_APPLICATION}/config", "ApplicationConfig", shape_config),
    get(f"{OLDER_APPLICATION}/stats", "ApplicationStats", shape_statistics),
)  # fmt: skip
