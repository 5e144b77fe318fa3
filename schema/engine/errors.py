"""From a failure to what a client sees of it: the message, the path and `extensions.code`."""

import logging
from typing import Any

from graphql import GraphQLError

from stores.contracts.errors import BadUserInput, GatewayError

log = logging.getLogger(__name__)
INTERNAL = "INTERNAL"
REST_STATUS = {code: each.rest_status for code, each in GatewayError.by_code.items()} | {INTERNAL: 500}


def shown_error(error: GraphQLError, request_id: str) -> dict[str, Any]:
    """The error as the answer holds it.

    An expected failure shows its message and code. A fault of the document or of its variables, which has no
    place in the answer yet, is the client's. Anything else is logged, and shown as nothing but a request id.
    """
    shown = error.formatted
    cause = error.original_error
    if isinstance(cause, GatewayError):
        extensions = {"code": cause.code, **cause.extensions}
        return {**shown, "message": cause.message, "extensions": extensions}
    if error.path is None:
        return {**shown, "extensions": {"code": BadUserInput.code}}
    log.error("request %s failed at %s", request_id, error.path, exc_info=cause or error)
    return {
        **shown,
        "message": f"internal error; the log knows it as request {request_id}",
        "extensions": {"code": INTERNAL, "requestId": request_id},
    }
