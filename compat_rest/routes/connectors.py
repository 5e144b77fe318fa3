"""The connectors of applications, and the templates of organizations."""

from typing import Any

from compat_rest.routes.route import (
    OLDER_APPLICATION,
    ORGANIZATION,
    Required,
    from_document,
    get,
    post,
    put,
)
from compat_rest.routes.shapes import (
    OldRequest,
    require,
    shape_changed_document,
    shape_changed_without_id,
    shape_documents,
)

CONNECTOR_FIELDS = Required("Connector name and driver are required", ("name", "driver"))


def shape_template(data: Any, request: OldRequest) -> Any:
    return require((data["organization"] or {}).get("connector"), "Connector")["document"]


ROUTES = (
    get(f"{ORGANIZATION}/connectors", "Templates", shape_documents),
    get(f"{ORGANIZATION}/connectors/{{documentId}}", "Template", shape_template),
    post(
        f"{ORGANIZATION}/connectors", "CreateConnector", shape_changed_document,
        from_document, CONNECTOR_FIELDS, conflict_status=400,
    ),
    get(f"{OLDER_APPLICATION}/connectors", "Connectors", shape_documents),
    post(
        f"{OLDER_APPLICATION}/connectors", "CreateConnector", shape_changed_document,
        from_document, CONNECTOR_FIELDS,
    ),
    put(
        f"{OLDER_APPLICATION}/connectors/{{documentId}}", "UpdateConnector", shape_changed_without_id,
        from_document, required=CONNECTOR_FIELDS,
    ),
)  # fmt: skip
