"""Organizations, their settings and their statistics."""

from typing import Any

from starlette.exceptions import HTTPException

from compat_rest.bodies import OBJECT_OR_IGNORED_LIST
from compat_rest.routes.route import ORGANIZATION, Parameters, from_fields, get, put
from compat_rest.routes.shapes import OldRequest, read_payload, require, to_object

SETTINGS = ("name", "description", "email", "website")
STATISTICS = {"id": "organizationId", "name": "organizationName", "status": "status"}


def read_saved_settings(parameters: Parameters, body: Any) -> dict[str, Any]:
    """The only write that creates its organization."""
    variables = from_fields(*SETTINGS)(parameters, body)
    return {"input": {**variables["input"], "createIfMissing": True}}


def shape_organizations(data: Any, request: OldRequest) -> Any:
    return [
        {
            "id": organization["organizationId"],
            "name": organization["organizationId"],
            "sizeOnDisk": int(organization["sizeOnDisk"] or 0),
            "empty": False,
            "applicationCount": organization["applicationCount"],
            "userCount": organization["userCount"],
        }
        for organization in data["organizations"]["nodes"]
    ]


def shape_organization(data: Any, request: OldRequest) -> Any:
    return _shape_settings(data["organization"])


def shape_saved_organization(data: Any, request: OldRequest) -> Any:
    return _shape_settings(read_payload(data))


def _shape_settings(organization: Any) -> Any:
    settings = _read_settings(organization)
    name = settings.get("name") or organization["organizationId"]
    changed_settings = {key: settings[key] for key in SETTINGS[1:] if key in settings}
    return {"id": organization["organizationId"], "name": name, **changed_settings}


def _read_settings(organization: Any) -> dict[str, Any]:
    settings = to_object(require(organization, "Organization")["config"])
    if not settings:  # an organization whose settings were never saved
        raise HTTPException(404, "Organization not found")
    return settings


def shape_config(data: Any, request: OldRequest) -> Any:
    return _read_settings(data["organization"])


def shape_statistics(data: Any, request: OldRequest) -> Any:
    organization = data["organization"] or {"config": [], "applications": []}
    settings = to_object(organization["config"])
    applications = [
        {
            "applicationId": application["applicationId"],
            "applicationName": application["name"],
            "deviceCount": application["deviceCount"],
            "status": application["status"],
        }
        for application in organization["applications"]
    ]
    return {
        "organization": {name: settings[key] for name, key in STATISTICS.items() if key in settings},
        "applications": len(applications),
        "totalDevices": sum(application["deviceCount"] for application in applications),
        "applicationsList": applications,
    }


ROUTES = (
    get("/api/organizations", "Organizations", shape_organizations),
    get(ORGANIZATION, "Organization", shape_organization),
    put(ORGANIZATION, "SaveOrganization", shape_saved_organization, read_saved_settings, body=OBJECT_OR_IGNORED_LIST),
    get(f"{ORGANIZATION}/config", "Organization", shape_config),
    get(f"{ORGANIZATION}/stats", "OrganizationStats", shape_statistics),
)  # fmt: skip
