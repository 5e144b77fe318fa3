"""Functions of an application: expressions over events and properties, and counters."""

from datetime import datetime
from typing import Any

from bson import ObjectId

from resolvers.applications import require_application
from resolvers.context import Context
from resolvers.event_classes import fresh_ids
from resolvers.rules.checks import check_object
from resolvers.rules.writing import delete_one, update_one
from stores.contracts.documents import Change, Condition, Document, Query, Touch, equals, utc_now
from stores.contracts.errors import BadUserInput, Conflict
from stores.entities.collections import FUNCTIONS
from stores.entities.functions import Function

COUNTER, ALGEBRAIC = "Counter", "Algebraic Function"


async def list_functions(context: Context, organization_id: str, application_id: str) -> list[Function]:
    """The functions of one application, in the order they were made."""
    loaders = context.viewer.tenant(organization_id).loaders
    found = await loaders.by_field(FUNCTIONS, ("applicationId",)).load(application_id)
    return [Function(each, organization_id, application_id) for each in found]


async def get_function(
    context: Context, organization_id: str, application_id: str, document_id: Any
) -> Function | None:
    """A function by the store's id, which is what its global id holds."""
    loaders = context.viewer.tenant(organization_id).loaders
    where = (equals("_id", document_id), equals("applicationId", application_id))
    found = await loaders.pages(FUNCTIONS).load(Query(where=where, limit=1))
    return Function(found[0], organization_id, application_id) if found else None


async def create_function(
    context: Context, organization_id: str, application_id: str, values: dict[str, Any]
) -> Function:
    """Keep a new function. Raises `Conflict` where the application has one of its id."""
    await require_application(context, organization_id, application_id)
    documents = context.viewer.tenant(organization_id).documents
    given = _given(values, new=True)
    function_id = values.get("id")
    if function_id and not isinstance(function_id, str):
        raise BadUserInput("id must be a text", fields=["id"])
    moment = utc_now()
    for made_id in fresh_ids("fn"):
        kept = {
            "_id": ObjectId(),
            "id": function_id or made_id,
            **given,
            "applicationId": application_id,
            "createdAt": moment,
            "updatedAt": moment,
        }
        try:
            await documents.insert(FUNCTIONS, kept)
        except Conflict:
            if function_id:
                raise Conflict(f"function {function_id} exists already", fields=["id"]) from None
        else:
            return Function(kept, organization_id, application_id)
    raise AssertionError("ids do not run out")


async def update_function(
    context: Context,
    organization_id: str,
    application_id: str,
    function_id: str,
    values: dict[str, Any],
    if_updated_at: datetime | None,
) -> Function:
    """Replace what a function says; what is not given falls back to its default, its id stays."""
    given = _given(values, new=False)
    await require_application(context, organization_id, application_id)
    change = Change(set={(k,): v for k, v in given.items()}, touch=Touch(("updatedAt",)))
    kept = await update_one(
        context.viewer.tenant(organization_id),
        FUNCTIONS,
        _by_id(application_id, function_id),
        change,
        what="Function",
        if_updated_at=if_updated_at,
    )
    return Function(kept, organization_id, application_id)


async def delete_function(
    context: Context,
    organization_id: str,
    application_id: str,
    function_id: str,
    if_updated_at: datetime | None,
) -> Function:
    kept = await delete_one(
        context.viewer.tenant(organization_id),
        FUNCTIONS,
        _by_id(application_id, function_id),
        what="Function",
        if_updated_at=if_updated_at,
    )
    return Function(kept, organization_id, application_id)


def _by_id(application_id: str, function_id: str) -> list[Condition]:
    return [equals("applicationId", application_id), equals("id", function_id)]


def _given(values: dict[str, Any], *, new: bool) -> Document:
    given = check_object(values)
    _require(given.get("name"), "name", "Function name is required")
    expression = given.get("expression")
    counter = given.get("counter")
    if not new and given.get("type") == COUNTER:
        name = counter.get("name") if isinstance(counter, dict) else None
        _require(name, "counter.name", "Counter name is required for Counter functions")
        expression = expression or name
    _require(expression, "expression", "Function expression is required")
    if not isinstance(given.get("variables"), list):
        raise BadUserInput("Function variables must be an array", fields=["variables"])
    if not isinstance(given["name"], str):
        raise BadUserInput("name must be a text", fields=["name"])
    return {
        "name": given["name"],
        "type": given.get("type") or ALGEBRAIC,
        "expression": expression,
        "variables": given["variables"],
        "events": given.get("events") or [],
        "counter": counter,
        "description": given.get("description") or "",
    }


def _require(value: Any, field: str, message: str) -> None:
    if not value:
        raise BadUserInput(message, fields=[field])
