"""From a failure to what a client sees of it: the message, the path and `extensions.code`."""

import logging
from collections.abc import Sequence
from typing import Any

from graphql import FieldNode, GraphQLError

from resolvers.context import Context
from stores.contracts.errors import BadUserInput, GatewayError, LimitExceeded, find_limit_status

log = logging.getLogger(__name__)
INTERNAL = "INTERNAL"
MAX_MESSAGE = 1_000  # characters of a message about a document
REST_STATUS = {code: error.rest_status for code, error in GatewayError.by_code.items()} | {INTERNAL: 500}


def find_rest_status(extensions: dict[str, Any]) -> int:
    """The status of an old route whose operation failed with an error that has these extensions."""
    code = extensions["code"]
    return find_limit_status(extensions["limit"]) if code == LimitExceeded.code else REST_STATUS[code]


def format_error(error: GraphQLError, request_id: str, *, is_authenticated: bool) -> dict[str, Any]:
    """The error as the response contains it. Only an authenticated caller sees the numbers of limits.

    An expected failure shows its message and its code. A fault of the document, of its variables or of an
    argument is for the client to fix. Anything else is logged, and the client sees only a request id.
    """
    formatted = error.formatted
    cause = error.original_error
    if isinstance(cause, GatewayError):
        message, extensions = cause.describe(is_authenticated=is_authenticated)
        return {**formatted, "message": message, "extensions": extensions}
    if _is_fault_of_document(error):
        message = shorten(error.message)  # which may repeat a name or a value that the client sends
        return {**formatted, "message": message, "extensions": {"code": BadUserInput.code}}
    log.error("request %s failed at %s", request_id, error.path, exc_info=cause or error)
    return {
        **formatted,
        "message": make_internal_message(request_id),
        "extensions": {"code": INTERNAL, "requestId": request_id},
    }


def shorten(message: str) -> str:
    """The message without its middle, if it is long."""
    half = MAX_MESSAGE // 2
    return message if len(message) <= MAX_MESSAGE else f"{message[:half]} ... {message[-half:]}"


def _is_fault_of_document(error: GraphQLError) -> bool:
    """Whether the client has to fix the document or a variable.

    An error that precedes the execution of fields has no path. Later, graphql-core names the value of the
    argument or directive that it cannot use. An error about a resolver's value names the field, or nothing.
    """
    if error.path is None:
        return True
    nodes = error.original_error.nodes if isinstance(error.original_error, GraphQLError) else None
    return any(not isinstance(node, FieldNode) for node in nodes or ())


def make_internal_message(request_id: str) -> str:
    """What a client sees of an unexpected failure."""
    return f"Internal error; the log describes it under the request id {request_id}."


def format_errors(errors: Sequence[GraphQLError], context: Context) -> list[dict[str, Any]]:
    """The errors as the caller sees them. Each limit among them is counted once for the request."""
    causes = [error.original_error for error in errors]
    for limit in {cause.name: cause for cause in causes if isinstance(cause, LimitExceeded)}.values():
        context.limits.count(limit)
    is_authenticated = context.viewer.grant.is_authenticated
    return [format_error(error, context.request_id, is_authenticated=is_authenticated) for error in errors]


def sort_errors(errors: Sequence[GraphQLError], data: Any) -> Sequence[GraphQLError]:
    """The errors in the order of their fields in the response.

    graphql-core reports errors in the order in which they happen, which concurrent resolvers make a matter of
    chance. The fields of an object that became null are in the order of the document.
    """
    if len(errors) < 2:
        return errors
    return sorted(
        errors, key=lambda error: (get_response_position(error.path or (), data), error.positions or ())
    )


def get_response_position(path: Sequence[str | int], data: Any) -> tuple[int, ...]:
    """The position of a path in the response: the index of each key in its object, and list indexes."""
    position: list[int] = []
    for key in path:
        if isinstance(key, int):
            position.append(key)
            data = data[key] if isinstance(data, list) and key < len(data) else None
        elif isinstance(data, dict) and key in data:
            position.append(list(data).index(key))
            data = data[key]
        else:
            break
    return tuple(position)
