"""What operators watch, in Prometheus' text format: what became of queries, and what is kept of them."""

from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from schema.engine.execution import Executor


class Metrics(Collector):
    """Answers `/metrics` from the executor's own counts."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def collect(self) -> Iterator[Metric]:
        queries = CounterMetricFamily("sync_gateway_queries", "What became of queries.", labels=["event"])
        for event, count in self._executor.counts.items():
            queries.add_metric([event], count)
        yield queries
        kept = GaugeMetricFamily(
            "sync_gateway_kept", "Parsed documents and operations kept.", labels=["what"]
        )
        for what, count in self._executor.cache_sizes().items():
            kept.add_metric([what], count)
        yield kept

    async def answer(self, request: Request) -> Response:
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)
