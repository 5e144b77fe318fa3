"""The devices of the default database, which belong to no organization."""

from typing import Any

from compat_rest.routes.route import Required, delete, from_document, get, post, put
from compat_rest.routes.shapes import OldRequest, is_conflict, require, shape_changed_document

PATH = "/device/{machineId}"
MACHINE_ID = Required("Machine ID is required!", ("machineId",))


def shape_legacy_device(data: Any, request: OldRequest) -> Any:
    return require(data["legacyDevice"], "Device")["document"]


def shape_legacy_error(error: Any, request: OldRequest) -> Any:
    context = {"machineId": request.body.get("machineId")} if is_conflict(error) else {}
    return {"errors": [{"message": error["message"], "context": context}]}


READ = get(PATH, "LegacyDevice", shape_legacy_device)

ROUTES = (
    post(
        "/device/new", "CreateDevice", shape_changed_document,
        from_document, MACHINE_ID, conflict_status=400, error=shape_legacy_error,
    ),
    READ,
    put(
        PATH, "UpdateDevice", shape_changed_document,
        from_document, conflict_status=400, without_body=READ,
    ),
    delete(PATH, "DeleteDevice", "Device deleted successfully"),
)  # fmt: skip
