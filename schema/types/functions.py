"""Functions in the graph."""

from typing import Annotated, Any

import strawberry

from resolvers import applications, functions
from schema.engine.fields import Info, argument, attribute, derived, mutation
from schema.engine.inputs import IF_UPDATED_AT, optional, provided_values, required
from schema.engine.scalars import JSON, DateTime
from schema.types.node import Node
from schema.types.shared import APPLICATION
from stores.entities import functions as stored


@strawberry.type(description="A value computed from events and properties, or a counter.")
class Function(Node):
    function_id: str = attribute("The id, unique within the application.")
    name: str = attribute("The name.")
    type: str = attribute("`Algebraic Function` or `Counter`.")
    expression: str = attribute("What is computed; a counter's name.")
    variables: list[str] = attribute("The names of its variables.")
    events: list[str] = attribute("The names of the events and properties that its variables stand for.")
    counter: JSON | None = attribute("What a counter counts: its name and event class.")
    description: str | None = attribute("What it is for.")

    @derived("The whole document as it is stored.", JSON)
    def document(root: strawberry.Parent[stored.Function]) -> Any:
        return root.document

    @derived("The application it belongs to.", APPLICATION)
    async def application(root: strawberry.Parent[stored.Function], info: Info) -> Any:
        assert root.organization_id is not None
        assert root.application_id is not None
        return await applications.require_application(info.context, root.organization_id, root.application_id)


@strawberry.input(description="A new function.")
class CreateFunctionInput:
    organization_id: str = required("The organization.")
    application_id: str = required("The application.")
    function_id: str | None = optional("The id; made where it is not given.")
    name: str | None = optional("The name; required.")
    type: str | None = optional("`Algebraic Function`, the default, or `Counter`.")
    expression: JSON | None = optional("What is computed; required.")
    variables: JSON | None = optional("The list of its variables; required.")
    events: JSON | None = optional("The events and properties that its variables stand for.")
    counter: JSON | None = optional("What a counter counts: its `name` and `eventClass`.")
    description: str | None = optional("What it is for.")


@strawberry.input(description="A function anew: what is not given falls back to its default; the id stays.")
class UpdateFunctionInput:
    organization_id: str = required("The organization.")
    application_id: str = required("The application.")
    function_id: str = required("The function's id.")
    name: str | None = optional("The name; required.")
    type: str | None = optional("`Algebraic Function`, the default, or `Counter`.")
    expression: JSON | None = optional("What is computed; required, but for a counter: its name.")
    variables: JSON | None = optional("The list of its variables; required.")
    events: JSON | None = optional("The events and properties that its variables stand for.")
    counter: JSON | None = optional("What a counter counts: its `name` and `eventClass`.")
    description: str | None = optional("What it is for.")
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.input(description="A function to delete.")
class DeleteFunctionInput:
    organization_id: str = required("The organization.")
    application_id: str = required("The application.")
    function_id: str = required("The function's id.")
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.type(description="The function as it is now or, deleted, as it was.")
class FunctionPayload:
    function: Function = attribute("The function.")


SETTINGS = ("name", "type", "expression", "variables", "events", "counter", "description")


@strawberry.type
class FunctionMutations:
    @mutation("Create a function.")
    async def create_function(
        self, info: Info, input: Annotated[CreateFunctionInput, argument("The function.")]
    ) -> FunctionPayload:
        values = provided_values(input, *SETTINGS, id="function_id")
        created = await functions.create_function(
            info.context, input.organization_id, input.application_id, values
        )
        return FunctionPayload(function=created)  # type: ignore[arg-type]  # a record

    @mutation("Replace what a function says.")
    async def update_function(
        self, info: Info, input: Annotated[UpdateFunctionInput, argument("The function.")]
    ) -> FunctionPayload:
        changed = await functions.update_function(
            info.context,
            input.organization_id,
            input.application_id,
            input.function_id,
            provided_values(input, *SETTINGS),
            input.if_updated_at,
        )
        return FunctionPayload(function=changed)  # type: ignore[arg-type]  # a record

    @mutation("Delete a function.")
    async def delete_function(
        self, info: Info, input: Annotated[DeleteFunctionInput, argument("Which one.")]
    ) -> FunctionPayload:
        deleted = await functions.delete_function(
            info.context,
            input.organization_id,
            input.application_id,
            input.function_id,
            input.if_updated_at,
        )
        return FunctionPayload(function=deleted)  # type: ignore[arg-type]  # a record
