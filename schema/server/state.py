"""What the routes of one application share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request

from resolvers.context import Context, SeriesAccess, Viewer
from resolvers.limits import LimitPolicy
from resolvers.rules.audit_trail import AuditTrail
from resolvers.turns import Turn
from schema.engine.execution import Executor
from schema.server.authentication import AccessDenied, Authenticate
from schema.server.execution_gate import ExecutionGate, RequestTurn
from stores.contracts.document_store import DocumentStore
from stores.contracts.errors import GatewayError
from stores.contracts.series import WritableSeriesStore
from stores.entities.cipher import SecretCipher
from stores.entities.icons import Icons
from stores.wrappers.counting import CallCounter
from stores.wrappers.documents import WrappedDocumentStore
from stores.wrappers.series import WrappedSeriesStore, WrappedWritableSeriesStore

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

    async def create_context(
        self, request: Request, request_id: str, authenticate: Authenticate | None = None
    ) -> Context:
        """The context of a request: the only place where a request becomes a viewer.

        `authenticate` is used instead of the application's own. The stores of an
        operator's request with `X-Gateway-Trace: 1` count their calls. Raises `AccessDenied`.
        """
        try:
            grant = await (authenticate or self.authenticate)(request)
        except GatewayError as error:
            raise AccessDenied(error) from None
        turn = RequestTurn(self.gate, request.receive)
        if request.headers.get(TRACE_HEADER) != "1" or not grant.is_operator:
            viewer = Viewer(self.documents, self.series, grant)
            return self._make_context(viewer, request_id, turn)
        document_calls, series_calls = CallCounter(), CallCounter()
        documents = WrappedDocumentStore(self.documents, document_calls)
        store = self.series.store
        series = (
            WrappedWritableSeriesStore(store, series_calls)
            if isinstance(store, WritableSeriesStore)
            else WrappedSeriesStore(store, series_calls)
        )
        viewer = Viewer(documents, replace(self.series, store=series), grant)
        trace = {"documentCalls": document_calls.calls, "seriesCalls": series_calls.calls}
        return self._make_context(viewer, request_id, turn, trace=lambda: trace)

    def _make_context(
        self, viewer: Viewer, request_id: str, turn: Turn, trace: Callable[[], dict[str, Any]] | None = None
    ) -> Context:
        return Context(
            viewer,
            self.icons,
            self.cipher,
            request_id,
            limits=self.limits,
            turn=turn,
            trace=trace,
            audit=self.audit,
        )
