"""The metrics for operators, in the text format of Prometheus: how queries were answered, what is cached."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from schema.server.authentication import AccessDenied, sends_token
from schema.server.background import Work
from schema.server.health import Health
from schema.server.metrics_exchange import MetricsExchange
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
        self._own = CollectorRegistry()
        self._own.register(self)
        self._measured = state.resources.instruments.registry
        self._gate = state.gate
        place = state.resources.place
        self.exchange = None if place is None else MetricsExchange(place, self.generate)

    def collect(self) -> Iterator[Metric]:
        store = self._series.store
        yield _count("sync_gateway_queries", "How queries were answered.", "event", self._executor.counts)
        yield _count(
            "sync_gateway_limits_hit", "Requests over a limit, by its name.", "limit", self._limits.hits
        )
        yield _measure("sync_gateway_cached", "Entries of each cache.", "what", self._get_cache_sizes())
        cached_bytes = self._executor.get_cached_bytes() | store.get_cached_bytes()
        yield _measure(
            "sync_gateway_cached_bytes", "The memory of each cache, by estimate.", "what", cached_bytes
        )
        lanes = {"cheap": self._gate.cheap, "expensive": self._gate.expensive}
        executing = {name: lane.executing for name, lane in lanes.items()}
        yield _measure("sync_gateway_requests_executing", "Requests that are executed.", "lane", executing)
        waiting = {name: lane.waiting for name, lane in lanes.items()}
        yield _measure("sync_gateway_requests_waiting", "Requests that wait to be executed.", "lane", waiting)
        suspended = {"documents": self._documents.is_suspended, "series": store.is_suspended}
        text = "Whether a store is down, so that calls are rejected (1) or not (0)."
        yield _measure("sync_gateway_store_suspended", text, "store", suspended)
        text = "Whether a store takes writes (1) or not (0)."
        yield _measure("sync_gateway_store_writable", text, "store", self._writable)
        text = "How often a damaged document was left out of a list."
        yield CounterMetricFamily(
            "sync_gateway_damaged_documents", text, value=self._documents.damaged_documents
        )
        text = "How often damaged samples were left out of a result."
        yield CounterMetricFamily("sync_gateway_damaged_samples", text, value=store.damaged_samples)

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
        text = self.generate() if self.exchange is None else await self.exchange.gather()
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    def tasks(self) -> dict[str, Work]:
        """What has to run in the background."""
        return {} if self.exchange is None else {"metrics for other workers": self.exchange.serve}

    def generate(self) -> bytes:
        """The metrics of this process."""
        return generate_latest(self._measured) + generate_latest(self._own)


def _count(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def _measure(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family
