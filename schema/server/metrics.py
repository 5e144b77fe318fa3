"""The metrics for operators, in the text format of Prometheus: how queries were answered, what is cached."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from schema.server.authentication import AccessDenied, sends_token
from schema.server.health import Health
from schema.server.state import AppState
from stores.contracts.errors import Forbidden, GatewayError


class Metrics(Collector):
    """Answers `/metrics` from the counters of the executor and the state of the stores."""

    def __init__(
        self,
        state: AppState,
        health: Health,
        token: SecretStr | None,
        caches: Mapping[str, Callable[[], int]],
    ) -> None:
        self._authenticate, self._health, self._token = state.authenticate, health, token
        self._limits = state.limits
        self._executor, self._documents, self._series = state.executor, state.documents, state.series
        self._caches = caches
        self._writable: dict[str, bool] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def collect(self) -> Iterator[Metric]:
        queries = CounterMetricFamily("sync_gateway_queries", "How queries were answered.", labels=["event"])
        for event, count in self._executor.counts.items():
            queries.add_metric([event], count)
        yield queries
        limits = CounterMetricFamily(
            "sync_gateway_limits_hit", "Requests over a limit, by its name.", labels=["limit"]
        )
        for name, count in self._limits.hits.items():
            limits.add_metric([name], count)
        yield limits
        cached = GaugeMetricFamily("sync_gateway_cached", "Entries of each cache.", labels=["what"])
        for what, count in self._get_cache_sizes().items():
            cached.add_metric([what], count)
        yield cached
        memory = GaugeMetricFamily(
            "sync_gateway_cached_bytes", "The memory of each cache, by estimate.", labels=["what"]
        )
        cached_bytes = self._executor.get_cached_bytes() | self._series.store.get_cached_bytes()
        for what, count in cached_bytes.items():
            memory.add_metric([what], count)
        yield memory
        writable = GaugeMetricFamily(
            "sync_gateway_store_writable", "Whether a store takes writes (1) or not (0).", labels=["store"]
        )
        for store, takes_writes in self._writable.items():
            writable.add_metric([store], takes_writes)
        yield writable
        yield CounterMetricFamily(
            "sync_gateway_damaged_documents",
            "How often a damaged document was left out of a list.",
            value=self._documents.damaged_documents,
        )
        yield CounterMetricFamily(
            "sync_gateway_damaged_samples",
            "How often damaged samples were left out of a result.",
            value=self._series.store.damaged_samples,
        )

    def _get_cache_sizes(self) -> dict[str, int]:
        return {
            **{what: count() for what, count in self._caches.items()},
            **self._executor.get_cache_sizes(),
            **self._documents.get_cache_sizes(),
            **self._series.store.get_cache_sizes(),
            "event_counts": len(self._series.counts),
            "machine_owners": self._series.owners.get_cache_size() if self._series.owners else 0,
        }

    async def answer(self, request: Request) -> Response:
        """The response to `GET /metrics`, which is for operators and whoever sends the token."""
        try:
            if not (self._token is not None and sends_token(request, self._token)):
                grant = await self._authenticate(request)
                if not grant.is_operator:
                    raise Forbidden("Metrics require the role operator.")
        except GatewayError as error:
            denied = AccessDenied(error)
            return PlainTextResponse(denied.message, denied.status, denied.headers)
        self._writable = await self._health.check_writes()
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)
