"""The fields of an operation that the viewer may not ask for, as the audit log tells of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from graphql import FieldNode, GraphQLError, get_argument_values
from graphql.execution.executor import Executor as CoreExecutor

from stores.contracts.errors import Forbidden


class Refused(NamedTuple):
    """A field that was refused with these arguments, and the organization that they name."""

    field: str
    organization_id: str | None


def find_refusals(core: CoreExecutor[Any], errors: Sequence[GraphQLError]) -> list[Refused]:
    """The refused fields among the errors of an operation."""
    return [
        Refused(node.name.value, _find_organization(core, node))
        for error in errors
        if isinstance(error.original_error, Forbidden)
        for node in (error.nodes or [])[:1]
        if isinstance(node, FieldNode)
    ]


def _find_organization(core: CoreExecutor[Any], node: FieldNode) -> str | None:
    """The organization that a root field names in its arguments, or in its input."""
    root = core.schema.get_root_type(core.operation.operation)
    definition = None if root is None else root.fields.get(node.name.value)
    if definition is None:
        return None
    arguments = get_argument_values(definition, node, core.variable_values)
    input_ = arguments.get("input")
    named = {**(input_ if isinstance(input_, dict) else {}), **arguments}.get("organizationId")
    return named if isinstance(named, str) else None
