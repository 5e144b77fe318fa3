"""From a failure to what a client sees of it: the message, the path and `extensions.code`."""

import logging
from typing import Any

from graphql import GraphQLError

from stores.contracts.errors import BadUserInput, GatewayError

log = logging.getLogger(__name__)
INTERNAL = "INTERNAL"
REST_STATUS = {code: error.rest_status for code, error in GatewayError.by_code.items()} | {INTERNAL: 500}


def format_error(error: GraphQLError, request_id: str) -> dict[str, Any]:
    """The error as the response contains it.

    An expected failure shows its message and its code. An error without a path concerns the document or its
    variables, so the client has to fix it. Anything else is logged, and the client sees only a request id.
    """
    formatted = error.formatted
    cause = error.original_error
    if isinstance(cause, GatewayError):
        extensions = {"code": cause.code, **cause.extensions}
        return {**formatted, "message": cause.message, "extensions": extensions}
    if error.path is None:
        return {**formatted, "extensions": {"code": BadUserInput.code}}
    log.error("request %s failed at %s", request_id, error.path, exc_info=cause or error)
    return {
        **formatted,
        "message": internal_message(request_id),
        "extensions": {"code": INTERNAL, "requestId": request_id},
    }


def internal_message(request_id: str) -> str:
    """What a client sees of an unexpected failure."""
    return f"internal error; look for request {request_id} in the gateway's log"
