"""Functions in the graph."""

from typing import Annotated, Any

import strawberry

from resolvers import functions, scopes
from schema.engine.fields import Info, argument, as_type, attribute, derived, mutation
from schema.engine.inputs import IF_UPDATED_AT, optional, required, select_provided_values
from schema.engine.scalars import JSON, DateTime
from schema.types.node import Node
from schema.types.shared import (
    APPLICATION,
    IDEMPOTENCY_KEY,
    IN_APPLICATION,
    STORED_DOCUMENT,
    ApplicationScope,
    get_context_of_creation,
)
from stores.entities import functions as stored


@strawberry.type(description="A value that is computed from events and properties, or a counter.")
class Function(Node):
    function_id: str = attribute("The id, which is unique within the application.")
    name: str = attribute("The name.")
    type: str = attribute("The type: `Algebraic Function` or `Counter`.")
    expression: str = attribute("The expression to compute, or the name of the counter.")
    variables: list[str] = attribute("The names of the variables in the expression.")
    events: list[str] = attribute("The names of the events and properties that the variables stand for.")
    counter: JSON | None = attribute(
        "The counter's name and the event class that it counts, as an object; null for other types."
    )
    description: str | None = attribute("A description of what the function is used for.")

    @derived(STORED_DOCUMENT, JSON)
    def document(root: strawberry.Parent[stored.Function]) -> Any:
        return root.document

    @derived(IN_APPLICATION, APPLICATION)
    async def application(root: strawberry.Parent[stored.Function], info: Info) -> Any:
        assert root.organization_id is not None
        assert root.application_id is not None
        return await scopes.require_application(info.context, root.organization_id, root.application_id)


@strawberry.input(description="A new function.")
class CreateFunctionInput(ApplicationScope):
    function_id: str | None = optional("The id. The gateway generates one if you leave it out.")
    name: str | None = optional("The name. It is required.")
    type: str | None = optional("The type: `Algebraic Function`, which is the default, or `Counter`.")
    expression: JSON | None = optional("The expression to compute. It is required.")
    variables: JSON | None = optional("The list of the variables' names. It is required.")
    events: JSON | None = optional(
        "The list of the names of the events and properties that the variables stand for."
    )
    counter: JSON | None = optional("What a counter counts: an object with `name` and `eventClass`.")
    description: str | None = optional("A description of what the function is used for.")
    idempotency_key: str | None = optional(IDEMPOTENCY_KEY, None)


@strawberry.input(
    description="A replacement of a function. Fields that are left out get their defaults, and the id "
    "stays the same."
)
class UpdateFunctionInput(ApplicationScope):
    function_id: str = required("The id of the function.")
    name: str | None = optional("The name. It is required.")
    type: str | None = optional("The type: `Algebraic Function`, which is the default, or `Counter`.")
    expression: JSON | None = optional(
        "The expression to compute. It is required, except for a counter, where the counter's "
        "name is the default."
    )
    variables: JSON | None = optional("The list of the variables' names. It is required.")
    events: JSON | None = optional(
        "The list of the names of the events and properties that the variables stand for."
    )
    counter: JSON | None = optional("What a counter counts: an object with `name` and `eventClass`.")
    description: str | None = optional("A description of what the function is used for.")
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.input(description="The function to delete.")
class DeleteFunctionInput(ApplicationScope):
    function_id: str = required("The id of the function.")
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.type(description="The function after the mutation or, if it was deleted, before it.")
class FunctionPayload:
    function: Function | None = attribute("The function that was created, changed or deleted.")


SETTINGS = ("name", "type", "expression", "variables", "events", "counter", "description")


@strawberry.type
class FunctionMutations:
    @mutation("Creates a function of an application.")
    async def create_function(
        self, info: Info, input: Annotated[CreateFunctionInput, argument("The new function.")]
    ) -> FunctionPayload | None:
        values = select_provided_values(input, *SETTINGS, id="function_id")
        created = await functions.create_function(
            get_context_of_creation(info, input), input.organization_id, input.application_id, values
        )
        return FunctionPayload(function=as_type(Function, created))

    @mutation("Replaces the definition of a function.")
    async def update_function(
        self,
        info: Info,
        input: Annotated[UpdateFunctionInput, argument("The replacement, and the function to replace.")],
    ) -> FunctionPayload | None:
        changed = await functions.update_function(
            info.context,
            input.organization_id,
            input.application_id,
            input.function_id,
            select_provided_values(input, *SETTINGS),
            input.if_updated_at,
        )
        return FunctionPayload(function=as_type(Function, changed))

    @mutation("Deletes a function.")
    async def delete_function(
        self, info: Info, input: Annotated[DeleteFunctionInput, argument("The function to delete.")]
    ) -> FunctionPayload | None:
        deleted = await functions.delete_function(
            info.context,
            input.organization_id,
            input.application_id,
            input.function_id,
            input.if_updated_at,
        )
        return FunctionPayload(function=as_type(Function, deleted))
