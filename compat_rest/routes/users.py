"""The users of an organization."""

from typing import Any

from compat_rest.routes.route import ORGANIZATION, Required, from_fields, get, post
from compat_rest.routes.shapes import OldRequest, read_payload, without

USER_FIELDS = Required("Name and email are required", ("name", "email"))


def _shape_user(user: dict[str, Any]) -> dict[str, Any]:
    return {"id": user["documentId"], **without(user, "documentId")}


def shape_users(data: Any, request: OldRequest) -> Any:
    return [_shape_user(user) for user in (data["organization"] or {"users": []})["users"]]


def shape_created_user(data: Any, request: OldRequest) -> Any:
    return _shape_user(read_payload(data))


ROUTES = (
    get(f"{ORGANIZATION}/users", "Users", shape_users),
    post(
        f"{ORGANIZATION}/users", "CreateUser", shape_created_user,
        from_fields("name", "email", "role"), USER_FIELDS, conflict_status=400,
    ),
)  # fmt: skip
