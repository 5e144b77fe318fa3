"""Functions of an application: expressions over events and properties, and counters."""

from datetime import datetime
from typing import Any

from bson import ObjectId

from resolvers.context import Context
from resolvers.rules.checks import check_object
from resolvers.rules.ids import generate_ids
from resolvers.rules.repository import Repository
from resolvers.scopes import open_repository
from stores.contracts.documents import Change, Document, Touch, equals, utc_now
from stores.contracts.errors import BadUserInput, Conflict
from stores.entities.functions import Function

COUNTER, ALGEBRAIC = "Counter", "Algebraic Function"


async def list_functions(context: Context, organization_id: str, application_id: str) -> list[Function]:
    """The functions of one application, oldest first."""
    return await Repository(context, Function, organization_id, application_id).list_all()


async def create_function(
    context: Context, organization_id: str, application_id: str, values: dict[str, Any]
) -> Function:
    """Create a function. Raises `Conflict` if the application has one with its id."""
    functions = await open_repository(context, Function, organization_id, application_id)
    checked = _check(values, is_new=True)
    function_id = values.get("id")
    if function_id and not isinstance(function_id, str):
        raise BadUserInput("id must be a string.", fields=["id"])
    time = utc_now()
    for generated_id in generate_ids("fn"):
        document = {
            "_id": ObjectId(),
            "id": function_id or generated_id,
            **checked,
            "applicationId": application_id,
            "createdAt": time,
            "updatedAt": time,
        }
        taken = Conflict(f"Function {document['id']} already exists", fields=["id"])
        try:
            return await functions.insert(document, conflict=taken)
        except Conflict as error:
            if error is not taken or function_id:
                raise
    raise AssertionError("ids do not run out")


async def update_function(
    context: Context,
    organization_id: str,
    application_id: str,
    function_id: str,
    values: dict[str, Any],
    if_updated_at: datetime | None,
) -> Function:
    """Replace everything but the id; a value that is not given falls back to its default."""
    checked = _check(values, is_new=False)
    functions = await open_repository(context, Function, organization_id, application_id)
    change = Change(set={(name,): value for name, value in checked.items()}, touch=Touch(("updatedAt",)))
    return await functions.update([equals("id", function_id)], change, if_updated_at=if_updated_at)


async def delete_function(
    context: Context,
    organization_id: str,
    application_id: str,
    function_id: str,
    if_updated_at: datetime | None,
) -> Function:
    """Delete a function and return it as it was. Raises `NotFound` and `Conflict`."""
    functions = Repository(context, Function, organization_id, application_id)
    return await functions.delete([equals("id", function_id)], if_updated_at=if_updated_at)


def _check(values: dict[str, Any], *, is_new: bool) -> Document:
    fields = check_object(values)
    _require(fields.get("name"), "name", "Function name is required")
    expression = fields.get("expression")
    counter = fields.get("counter")
    if not is_new and fields.get("type") == COUNTER:
        name = counter.get("name") if isinstance(counter, dict) else None
        _require(name, "counter.name", "Counter name is required for Counter functions")
        expression = expression or name
    _require(expression, "expression", "Function expression is required")
    if not isinstance(fields.get("variables"), list):
        raise BadUserInput("Function variables must be an array", fields=["variables"])
    if not isinstance(fields["name"], str):
        raise BadUserInput("name must be a string.", fields=["name"])
    return {
        "name": fields["name"],
        "type": fields.get("type") or ALGEBRAIC,
        "expression": expression,
        "variables": fields["variables"],
        "events": fields.get("events") or [],
        "counter": counter,
        "description": fields.get("description") or "",
    }


def _require(value: Any, field: str, message: str) -> None:
    if not value:
        raise BadUserInput(message, fields=[field])
