"""Every old route, a row each: its operation, the variables made of its body, and the shape of its answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from compat_rest import shapes
from compat_rest.requests import Refused
from compat_rest.shapes import Shape

Parameters = Mapping[str, str]
Variables = Callable[[Parameters, Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class OldRoute:
    """`{name}` in a path is a variable of the operation.

    `required` fields have to be truthy, as in JavaScript: else the answer is 400 with `missing`. `conflict`
    is the status where something is taken already, `without_body` what is done where there is no body at all, `when_down` what is answered
    like a success where the store does not answer.
    """

    method: str
    path: str
    operation: str
    shape: Shape
    status: int = 200
    variables: Variables = lambda parameters, body: dict(parameters)
    required: tuple[str, ...] = ()
    missing: str = ""
    conflict: int = 409
    error: Shape = shapes.error
    without_body: "OldRoute | None" = None
    when_down: Any = None


def inputs(*fields: str, **renamed: str) -> Variables:
    """An input of the path's parameters and the fields of the body that are there; renamed: input="body"."""
    pairs = {**{name: name for name in fields}, **renamed}

    def variables(parameters: Parameters, body: Any) -> dict[str, Any]:
        given = {name: body[field] for name, field in pairs.items() if field in body}
        return {"input": {**given, **parameters}}

    return variables


def whole(parameters: Parameters, body: Any) -> dict[str, Any]:
    """An input of the path's parameters with the body as the document to store."""
    return {"input": {**parameters, "document": body}}


def named_machine(parameters: Parameters, body: Any) -> dict[str, Any]:
    if not parameters["machineId"].strip():
        raise Refused(400, "Invalid machineId")
    return dict(parameters)


def getting(what: str) -> Shape:
    return shapes.failing(f"Error getting {what}")


O = "/api/organizations"  # noqa: E741 - the table is read by columns
A = f"{O}/{{organizationId}}/applications/{{applicationId}}"
B = "/api/applications/{organizationId}/applications/{applicationId}"
DEVICE_TAKEN = shapes.error_saying("Device with this Machine ID already exists", only="CONFLICT")
EVENTS_FAILED = shapes.failing("Error querying InfluxDB: get failed for queryEventsByMachineId")
STATUS_FAILED = shapes.failing(
    "Error querying InfluxDB: get failed for queryStatusByMachineId", down="InfluxDB service unavailable"
)
CONNECTOR: dict[str, Any] = {
    "required": ("name", "driver"),
    "missing": "Connector name and driver are required",
}

TABLE = (
    OldRoute("GET", "/status", "Status", shapes.constant(message="Sync API is running")),
    OldRoute("GET", O, "Organizations", shapes.organizations),
    OldRoute("GET", f"{O}/{{organizationId}}", "Organization", shapes.organization),
    OldRoute(
        "PUT", f"{O}/{{organizationId}}", "SaveOrganization", shapes.organization,
        variables=lambda p, b: {"input": {**{k: b[k] for k in shapes.SETTINGS if k in b}, **p, "createIfMissing": True}},
    ),
    OldRoute("GET", f"{O}/{{organizationId}}/config", "Organization", shapes.organization_config),
    OldRoute("GET", f"{O}/{{organizationId}}/stats", "OrganizationStats", shapes.organization_stats),
    OldRoute("GET", f"{O}/{{organizationId}}/users", "Users", shapes.users),
    OldRoute(
        "POST", f"{O}/{{organizationId}}/users", "CreateUser", shapes.user, 201, inputs("name", "email", "role"),
        ("name", "email"), "Name and email are required", 400,
    ),
    OldRoute("GET", f"{O}/{{organizationId}}/gateways", "Gateways", shapes.documents),
    OldRoute(
        "POST", f"{O}/{{organizationId}}/gateways", "CreateGateway", shapes.created_gateway, 201,
        inputs("gatewayId", "name", "location", "status"), ("gatewayId", "name"), "gatewayId and name are required",
    ),
    OldRoute("GET", f"{O}/{{organizationId}}/applications", "Applications", shapes.applications),
    OldRoute(
        "POST", f"{O}/{{organizationId}}/applications", "CreateApplication", shapes.created_application, 201,
        inputs("applicationId", "name", "description", "status"),
        ("applicationId", "name"), "Application ID and name are required",
    ),
    OldRoute("GET", A, "Application", shapes.application),
    OldRoute("PUT", A, "UpdateApplication", shapes.updated_application, variables=inputs("name", "description", "status")),
    OldRoute("DELETE", A, "DeleteApplication", shapes.constant(message="Application deleted successfully"), variables=inputs()),
    OldRoute("GET", f"{A}/devices", "Devices", shapes.documents),
    OldRoute(
        "POST", f"{A}/devices", "CreateDevice", shapes.created_device, 201, whole,
        ("machineId",), "Device machineId is required", 400,
    ),
    OldRoute("GET", f"{A}/devices/{{machineId}}", "Device", shapes.device),
    OldRoute("PUT", f"{A}/devices/{{machineId}}", "UpdateDevice", shapes.written, variables=whole, conflict=400),
    OldRoute(
        "DELETE", f"{A}/devices/{{machineId}}", "DeleteDevice",
        shapes.constant(message="Device deleted successfully"), variables=inputs(),
    ),
    OldRoute("GET", f"{A}/properties", "Properties", shapes.properties),
    OldRoute("GET", f"{O}/{{organizationId}}/connectors", "Templates", shapes.documents),
    OldRoute("GET", f"{O}/{{organizationId}}/connectors/{{documentId}}", "Template", shapes.template),
    OldRoute("POST", f"{O}/{{organizationId}}/connectors", "CreateConnector", shapes.connector, 201, whole, **CONNECTOR, conflict=400),
    OldRoute("GET", f"{O}/{{organizationId}}/oilmonitor_devices", "OilmonitorDevices", shapes.documents),
    OldRoute("GET", "/api/applications/test", "Status", shapes.constant(message="Application routes are working!")),
    OldRoute("GET", f"{B}/devices", "Devices", shapes.documents),
    OldRoute(
        "POST", f"{B}/devices", "CreateDevice", shapes.created_device, 201, whole,
        ("machine_id",), "Machine ID is required", 400, DEVICE_TAKEN,
    ),
    OldRoute("GET", f"{B}/config", "ApplicationConfig", shapes.config),
    OldRoute("GET", f"{B}/stats", "ApplicationStats", shapes.application_stats),
    OldRoute("GET", f"{B}/event-classes", "EventClasses", shapes.items),
    OldRoute(
        "POST", f"{B}/event-classes", "AddEventClass", shapes.event_class, 201,
        lambda p, b: {"input": {**p, "eventClass": {"document": b}}}, (), "Event class data is required",
    ),
    OldRoute(
        "PUT", f"{B}/event-classes", "SetEventClasses", shapes.event_classes,
        variables=lambda p, b: {"input": {**p, "eventClasses": [{"document": each} for each in b]}},
    ),
    OldRoute("GET", f"{B}/functions", "Functions", shapes.items),
    OldRoute(
        "POST", f"{B}/functions", "CreateFunction", shapes.created_function, 201,
        inputs(*shapes.FUNCTION, functionId="id"), (), "Function data is required",
    ),
    OldRoute("PUT", f"{B}/functions/{{functionId}}", "UpdateFunction", shapes.function, variables=inputs(*shapes.FUNCTION)),
    OldRoute(
        "DELETE", f"{B}/functions/{{functionId}}", "DeleteFunction",
        shapes.constant(message="Function deleted successfully"), variables=inputs(),
    ),
    OldRoute("GET", f"{B}/connectors", "Connectors", shapes.documents),
    OldRoute("POST", f"{B}/connectors", "CreateConnector", shapes.connector, 201, whole, **CONNECTOR),
    OldRoute("PUT", f"{B}/connectors/{{documentId}}", "UpdateConnector", shapes.updated_connector, 200, whole, **CONNECTOR),
    OldRoute(
        "POST", "/device/new", "CreateDevice", shapes.legacy_device, 201, whole,
        ("machineId",), "Machine ID is required!", 400, shapes.legacy_error,
    ),
    OldRoute("GET", "/device/{machineId}", "LegacyDevice", shapes.found_legacy_device),
    OldRoute(
        "PUT", "/device/{machineId}", "UpdateDevice", shapes.legacy_device, variables=whole, conflict=400,
        without_body=OldRoute("PUT", "/device/{machineId}", "LegacyDevice", shapes.found_legacy_device),
    ),
    OldRoute("DELETE", "/device/{machineId}", "DeleteDevice", shapes.constant(message="Device deleted successfully"), variables=inputs()),
    OldRoute("GET", "/device/{machineId}/events", "MachineEvents", shapes.machine_events, error=EVENTS_FAILED),
    OldRoute("GET", "/device/{machineId}/status", "MachineStatus", shapes.power, variables=named_machine, error=STATUS_FAILED),
    OldRoute("GET", "/api/services", "Services", shapes.services),
    OldRoute("GET", "/api/services/{documentId}", "Service", shapes.found_service),
    OldRoute(
        "POST", "/api/services", "CreateService", shapes.service, 201, whole, ("name", "type", "configuration"),
        "Missing required fields: name, type, and configuration are required",
        error=shapes.failed_to("create service"),
    ),
    OldRoute("PUT", "/api/services/{documentId}", "UpdateService", shapes.service, variables=whole, error=shapes.failed_to("update service")),
    OldRoute("PATCH", "/api/services/{documentId}/toggle", "SetServiceEnabled", shapes.service, variables=inputs("enabled"), error=shapes.toggle_error),
    OldRoute("DELETE", "/api/services/{documentId}", "DeleteService", shapes.nothing, 204, inputs()),
    OldRoute("GET", "/api/library/{category}/{name}/icon", "Icon", shapes.icon),
    OldRoute("GET", "/api/library/{category}/{name}/icon/{format}", "Icon", shapes.icon),
    OldRoute("POST", "/api/library/{category}/{name}/icon", "UploadIcon", shapes.uploaded_icon, 201, inputs("content")),
    OldRoute("POST", "/api/library/upload", "UploadIcon", shapes.uploaded_icon, 201, inputs("category", "name", "content")),
    OldRoute("GET", "/api/query/registered", "RegisteredDevices", shapes.registered),
    OldRoute("GET", "/api/query/registered/all", "AllRegisteredDevices", shapes.all_registered),
    OldRoute("GET", "/api/query/apps-registered", "RegisteredApplications", shapes.registered_applications),
    OldRoute("GET", "/api/query/applications", "AllApplications", shapes.all_applications),
    OldRoute("GET", "/api/query/connected", "ConnectedDevices", shapes.connected, error=getting("connected devices")),
    OldRoute("GET", "/api/query/events", "Events", shapes.events, error=getting("events")),
    OldRoute("GET", "/api/query/events/processed", "EventsProcessed", shapes.processed, error=getting("events processed")),
    OldRoute("GET", "/api/query/events/processed-24h", "EventsProcessed24h", shapes.processed, error=getting("events processed 24h")),
    OldRoute("GET", "/api/query/cpu", "Processor", shapes.processor, when_down=[]),
    OldRoute("GET", "/api/query/ram", "Memory", shapes.memory, when_down=[]),
    OldRoute("GET", "/api/query/storage", "Storage", shapes.storage, when_down={"storage": 0}),
)  # fmt: skip
