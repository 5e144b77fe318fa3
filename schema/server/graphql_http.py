"""GraphQL over HTTP: the endpoint, its statuses and its error bodies.

https://graphql.github.io/graphql-over-http/draft/
"""

import logging
import math
from collections.abc import Awaitable, Callable, Hashable
from functools import cache
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from resolvers.context import Context
from resolvers.hints import Hints
from resolvers.series.absence import describe_absences
from schema.engine.errors import INTERNAL
from schema.engine.execution import Executor
from schema.engine.long_answers import make_length_error, prepare_json
from schema.engine.results import OperationResult
from schema.engine.scalars import to_json
from schema.engine.shared_queries import Sharing
from schema.server.authentication import AccessDenied
from schema.server.bodies import BadRequest
from schema.server.compression import Compressor, choose_coding
from schema.server.graphql_request import (
    JSON,
    RESPONSE,
    GraphQLRequest,
    RequestLimits,
    accepts_html,
    negotiate_media_type,
    read_request,
)
from schema.server.http_messages import EncodedResponse, IndexedRequest, add_headers, make_request_id
from schema.server.limit_rejection import reject_over_limit
from schema.server.persisted_queries import PersistedQueries
from schema.server.revalidation import revalidate
from schema.server.trusted_documents import TrustedDocuments
from schema.types.roles import view_of
from stores.contracts.errors import Forbidden, LimitExceeded

log = logging.getLogger(__name__)
CLIENT_CLOSED_REQUEST = 499  # nginx's status, for logs only: nobody receives it


class GraphQLEndpoint:
    """Answers `/graphql`.

    `create_context` makes the context of a request from the request and its id. `page` makes the page that
    browsers get, if there is one. `max_answer_bytes` limits the body of a response. `find_version`
    returns another value after each change of the data.
    """

    def __init__(
        self,
        executor: Executor,
        create_context: Callable[[Request, str], Awaitable[Context]],
        *,
        page: Callable[[], Response] | None,
        limits: RequestLimits,
        max_answer_bytes: int,
        find_version: Callable[[], Hashable],
        anonymous_introspection: bool = True,
        trusted_documents: TrustedDocuments | None = None,
        compressor: Compressor | None = None,
    ) -> None:
        self._executor = executor
        self._create_context = create_context
        self._page = page
        self._limits = limits
        self._max_answer_bytes, self._find_version = max_answer_bytes, find_version
        self._anonymous_introspection = anonymous_introspection
        self.persisted_queries = PersistedQueries()
        self.trusted_documents = trusted_documents or TrustedDocuments({})
        self._compressor = compressor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.respond(IndexedRequest(scope, receive))
        await response(scope, receive, send)

    async def respond(self, request: Request) -> Response:
        """The response to a request, with its id in `X-Request-Id`."""
        request_id = make_request_id()
        if self._page is not None and accepts_html(request) and not _sends_query(request):
            return self._page()
        media_type = JSON
        try:
            media_type = negotiate_media_type(request.headers.get("accept", ""))
            context = await self._create_context(request, request_id)
            context.hints = Hints(describe_absences)
            with reject_over_limit(context.limits, context.viewer.grant):
                graphql_request = await read_request(request, self._limits)
                try:
                    if isinstance(graphql_request, list):
                        response = await self._execute_batch(request, graphql_request, context)
                    else:
                        response = await self._answer(request, graphql_request, media_type, context)
                finally:
                    await context.settle()
            if context.budget is not None:
                add_headers(response, context.budget.headers())
        except BadRequest as error:
            body = _make_error_body(error.message, **error.extensions)
            response = _make_json_response(body, error.status, media_type, error.headers)
        except ClientDisconnect:
            response = Response(status_code=CLIENT_CLOSED_REQUEST)
        except Exception:  # the outermost boundary of a request
            log.exception("request %s failed", request_id)
            message = f"Internal error; the log describes it under the request id {request_id}."
            body = _make_error_body(message, code=INTERNAL, requestId=request_id)
            response = _make_json_response(body, 500, media_type)
        add_headers(response, {"X-Request-Id": request_id})
        return response

    async def _answer(
        self, request: Request, graphql_request: GraphQLRequest, media_type: str, context: Context
    ) -> Response:
        """The answer to one operation: compressed, or 304 if the client has it already."""
        result, response = await self._execute(request, graphql_request, media_type, context)
        if not result.is_query:
            return response
        if request.method != "POST" and graphql_request.document_id is not None and not result.errors:
            response = await revalidate(request, response)
        if self._compressor is not None:
            coding = choose_coding(request.headers.get("accept-encoding", ""))
            await self._compressor.compress(response, coding)
        return response

    async def _execute_batch(
        self, request: Request, graphql_requests: list[GraphQLRequest], context: Context
    ) -> Response:
        """The answers to a batch, which is executed in its order. They share the limits of the request."""
        bodies: list[bytes] = []
        for graphql_request in graphql_requests:
            try:
                with reject_over_limit(context.limits, context.viewer.grant):
                    sent = sum(map(len, bodies))
                    _, response = await self._execute(request, graphql_request, JSON, context, sent)
                    answer = bytes(response.body)
            except BadRequest as error:
                answer = to_json(_make_error_body(error.message, **error.extensions))
            bodies.append(answer)
        return EncodedResponse(b"[%b]" % b",".join(bodies), 200, _encode_headers(JSON))

    async def _execute(
        self,
        request: Request,
        graphql_request: GraphQLRequest,
        media_type: str,
        context: Context,
        sent_bytes: int | None = None,
    ) -> tuple[OperationResult, Response]:
        """The result of one operation; in a batch, `sent_bytes` is the length of the answers before it."""
        document = self._find_document(graphql_request, context)
        try:
            view = view_of(context.viewer.grant)
        except Forbidden as error:
            raise AccessDenied(error) from None
        context.meter.is_shown = graphql_request.wants_cost and context.viewer.grant.sees_limits
        answer = await self._executor.run(
            document,
            graphql_request.variables,
            graphql_request.operation_name,
            context,
            read_only=request.method == "GET",
            view=view,
            may_introspect=self._anonymous_introspection or context.viewer.grant.is_authenticated,
            sharing=self._make_sharing(document, graphql_request, context) if sent_bytes is None else None,
        )
        for refusal in answer.refusals:
            context.record_refusal(refusal.field, Forbidden.code, refusal.organization_id)
        if not answer.rejected and graphql_request.query is not None:  # whose hash was checked
            self.persisted_queries.remember(document, graphql_request.persisted_query)
        try:
            if context.turn.is_long:
                await self._encode_long_data(answer, sent_bytes or 0, context)
            response = _answer_response(answer, media_type, context)
            self._check_answer_size((sent_bytes or 0) + len(response.body), context)
        except LimitExceeded as error:
            context.limits.count(error)
            message, extensions = error.describe(is_authenticated=context.viewer.grant.is_authenticated)
            failed = OperationResult(errors=_make_error_body(message, **extensions)["errors"])
            return failed, _answer_response(failed, media_type, context)
        return answer, response

    def _make_sharing(self, document: str, request: GraphQLRequest, context: Context) -> Sharing:
        return Sharing(document, request.variables, self._find_version(), self._find_max_bytes(context))

    def _find_max_bytes(self, context: Context) -> float:
        return math.inf if context.limits.only_warns("answer_bytes") else self._max_answer_bytes

    def _find_document(self, graphql_request: GraphQLRequest, context: Context) -> str:
        """The document to execute. Raises `BadRequest` if there is none that may be executed."""
        if graphql_request.document_id is not None:
            return self.trusted_documents.find(graphql_request.document_id)
        self.trusted_documents.check_untrusted(is_operator=context.viewer.grant.is_operator)
        return self.persisted_queries.find_document(graphql_request.query, graphql_request.persisted_query)

    async def _encode_long_data(self, answer: OperationResult, sent_bytes: int, context: Context) -> None:
        """Encode long data piece by piece. Raises `LimitExceeded` as soon as it is too long."""
        max_bytes = self._find_max_bytes(context) - sent_bytes
        with context.turn.watch():
            answer.data = await prepare_json(answer.data, max_bytes, context.turn.pause)

    def _check_answer_size(self, length: int, context: Context) -> None:
        """Raise `LimitExceeded` if the answers to a request are too long."""
        if length > self._max_answer_bytes:
            context.limits.enforce(make_length_error(self._max_answer_bytes, length))


def _make_error_body(message: str, **extensions: Any) -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": extensions}]}


def _answer_response(answer: OperationResult, media_type: str, context: Context) -> Response:
    body: dict[str, Any] = {}
    if answer.errors:
        body["errors"] = answer.errors
    if not answer.rejected:
        body["data"] = answer.data
    extensions: dict[str, Any] = {}
    if context.trace is not None:
        extensions["trace"] = {**context.trace, "compiled": answer.compiled}
    if context.meter.is_shown:
        extensions["cost"] = context.meter.report()
    if answer.hints:
        extensions["hints"] = [hint._asdict() for hint in answer.hints]
    if extensions:
        body["extensions"] = extensions
    if answer.rejected_mutation:
        return _make_json_response(body, 405, media_type, {"Allow": "POST"})
    return _make_json_response(body, 400 if answer.rejected and media_type == RESPONSE else 200, media_type)


def _make_json_response(
    body: dict[str, Any], status: int, media_type: str, headers: dict[str, str] | None = None
) -> Response:
    response = EncodedResponse(to_json(body), status, _encode_headers(media_type))
    if headers:
        add_headers(response, headers)
    return response


def _sends_query(request: Request) -> bool:
    return not {"query", "extensions", "documentId"}.isdisjoint(request.query_params)


@cache
def _encode_headers(media_type: str) -> tuple[tuple[bytes, bytes], ...]:
    # JSON is UTF-8 by definition; the charset is named because old clients ask for it.
    return (
        (b"content-type", f"{media_type}; charset=utf-8".encode()),
        (b"vary", b"Accept, Accept-Encoding, Authorization, X-API-Key"),
    )
