"""What the routes of one application share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request

from resolvers.budgets import Budgets
from resolvers.context import Context, Viewer
from resolvers.limits import LimitPolicy
from resolvers.metering import Cost, Meter, MeteredDocumentStore
from resolvers.rules.audit_trail import AuditTrail
from resolvers.series_access import SeriesAccess
from schema.engine.execution import Executor
from schema.server.address_limit import count_anonymous
from schema.server.authentication import AccessDenied, Authenticate
from schema.server.execution_gate import ExecutionGate, RequestTurn
from schema.server.resources import Resources
from stores.contracts.document_store import DocumentStore
from stores.contracts.errors import GatewayError
from stores.contracts.request_record import CURRENT_REQUEST, RequestRecord
from stores.entities.cipher import SecretCipher
from stores.entities.icons import Icons
from stores.wrappers.counting import CallCounter
from stores.wrappers.documents import WrappedDocumentStore
from stores.wrappers.series import wrap_series

TRACE_HEADER = "X-Gateway-Trace"


@dataclass(frozen=True, slots=True)
class AppState:
    """The open stores, the cipher of secrets, the executor of queries, who may do what, and the limits.

    `cache_sizes` count the entries of caches, for the metrics.
    """

    documents: DocumentStore
    series: SeriesAccess
    icons: Icons
    cipher: SecretCipher
    executor: Executor
    authenticate: Authenticate
    limits: LimitPolicy
    audit: AuditTrail
    cache_sizes: Mapping[str, Callable[[], int]]
    gate: ExecutionGate
    max_answer_bytes: float
    max_cost: Cost  # of one request
    budgets: Budgets
    resources: Resources

    async def create_context(
        self, request: Request, request_id: str, authenticate: Authenticate | None = None
    ) -> Context:
        """The context of a request: the only place where a request becomes a viewer.

        `authenticate` is used instead of the application's own. The stores of an
        operator's request with `X-Gateway-Trace: 1` count their calls. Raises `AccessDenied`.
        """
        tracing = self.resources.tracing
        CURRENT_REQUEST.set(RequestRecord(request_id, tracing.tracer, tracing.find_parent(request.headers)))
        try:
            grant = await (authenticate or self.authenticate)(request)
            if not grant.is_authenticated:
                await count_anonymous(self.budgets, request, grant)
        except GatewayError as error:
            raise AccessDenied(error) from None
        turn = RequestTurn(self.gate, request.receive)
        turn.adopt_task()
        meter = Meter(self.max_cost, self.limits, turn)
        documents, series, trace = self.documents, self.series, None
        if request.headers.get(TRACE_HEADER) == "1" and grant.is_operator:
            document_calls, series_calls = CallCounter(), CallCounter()
            documents = WrappedDocumentStore(documents, document_calls)
            series = series.with_store(wrap_series(series.store, series_calls))
            trace = {"documentCalls": document_calls.calls, "seriesCalls": series_calls.calls}
        return Context(
            Viewer(MeteredDocumentStore(documents, meter), series, grant, meter),
            self.icons,
            self.cipher,
            request_id,
            limits=self.limits,
            turn=turn,
            meter=meter,
            budget=self.budgets.of_request(grant),
            trace=trace,
            audit=self.audit,
        )
