"""The icons of connectors, drivers and other things that the console shows."""

from typing import Any

from compat_rest.bodies import ICON_UPLOAD
from compat_rest.responses import ICON
from compat_rest.routes.route import Parameters, from_fields, get, post
from compat_rest.routes.shapes import OldRequest, read_payload, require

# To repeat an upload changes nothing, with or without a key.
UPLOAD: dict[str, Any] = {"body": ICON_UPLOAD, "takes_idempotency_key": False}
PATH = "/api/library/{category}/{name}/icon"


def shape_icon(data: Any, request: OldRequest) -> Any:
    return require(data["icon"], "Icon")


def shape_uploaded_icon(data: Any, request: OldRequest) -> Any:
    fields = {**request.body, **request.parameters}
    category, name = fields["category"], fields["name"]
    return {
        "message": "Icon uploaded successfully",
        "path": PATH.format(category=category, name=name),
        "filename": f"{name.lower()}.{read_payload(data)['format']}",
        "category": category,
        "name": name,
    }


def make_new_icon(parameters: Parameters, body: Any) -> dict[str, Any]:
    """An older SVG hides a newer PNG of the same name, as in the original."""
    variables = from_fields("category", "name", "content")(parameters, body)
    return {"input": {**variables["input"], "keepOtherFormats": True}}


ROUTES = (
    # An <img> sends no credential.
    get(PATH, "Icon", shape_icon, rendering=ICON, is_public=True),
    get(f"{PATH}/{{format}}", "Icon", shape_icon, rendering=ICON, is_public=True),
    post(PATH, "UploadIcon", shape_uploaded_icon, make_new_icon, **UPLOAD),
    post("/api/library/upload", "UploadIcon", shape_uploaded_icon, make_new_icon, **UPLOAD),
)
