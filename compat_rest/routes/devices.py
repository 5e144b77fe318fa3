"""The devices of an application."""

from typing import Any

from compat_rest.routes.route import (
    APPLICATION,
    OLDER_APPLICATION,
    ORGANIZATION,
    Required,
    delete,
    from_document,
    get,
    post,
    put,
)
from compat_rest.routes.shapes import (
    OldRequest,
    constant,
    is_conflict,
    require,
    shape_changed_without_id,
    shape_documents,
    shape_error,
)

MACHINE_ID = Required("Device machineId is required", ("machineId",))
OLDER_MACHINE_ID = Required("Machine ID is required", ("machine_id",))
# The driver's result of the write, which the original answered instead of the device.
shape_update_result = constant(
    acknowledged=True, modifiedCount=1, upsertedId=None, upsertedCount=0, matchedCount=1
)


def shape_device(data: Any, request: OldRequest) -> Any:
    return require(data["device"], "Device")["document"]


def shape_older_error(error: Any, request: OldRequest) -> Any:
    if is_conflict(error):
        return {"error": "Device with this Machine ID already exists"}
    return shape_error(error, request)


ROUTES = (
    get(f"{APPLICATION}/devices", "Devices", shape_documents),
    post(
        f"{APPLICATION}/devices", "CreateDevice", shape_changed_without_id,
        from_document, MACHINE_ID, conflict_status=400,
    ),
    get(f"{APPLICATION}/devices/{{machineId}}", "Device", shape_device),
    put(
        f"{APPLICATION}/devices/{{machineId}}", "UpdateDevice", shape_update_result,
        from_document, conflict_status=400,
    ),
    delete(f"{APPLICATION}/devices/{{machineId}}", "DeleteDevice", "Device deleted successfully"),
    get(f"{ORGANIZATION}/oilmonitor_devices", "OilmonitorDevices", shape_documents),
    get(f"{OLDER_APPLICATION}/devices", "Devices", shape_documents),
    post(
        f"{OLDER_APPLICATION}/devices", "CreateDevice", shape_changed_without_id,
        from_document, OLDER_MACHINE_ID, conflict_status=400, error=shape_older_error,
    ),
)  # fmt: skip
