"""The gateways of an organization: the boxes on the shop floor."""

from typing import Any

from compat_rest.routes.route import ORGANIZATION, Required, from_fields, get, post
from compat_rest.routes.shapes import OldRequest, read_payload, shape_documents, without

GATEWAY_FIELDS = Required("gatewayId and name are required", ("gatewayId", "name"))


def shape_created_gateway(data: Any, request: OldRequest) -> Any:
    """The document with its `_id` last; `location` only if the request has it."""
    document = read_payload(data)["document"]
    hidden = ("_id",) if "location" in request.body else ("_id", "location")
    return {**without(document, *hidden), "_id": document["_id"]}


ROUTES = (
    get(f"{ORGANIZATION}/gateways", "Gateways", shape_documents),
    post(
        f"{ORGANIZATION}/gateways", "CreateGateway", shape_created_gateway,
        from_fields("gatewayId", "name", "location", "status"), GATEWAY_FIELDS,
    ),
)  # fmt: skip
