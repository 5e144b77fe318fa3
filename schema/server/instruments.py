"""What the gateway measures of itself, in a registry of Prometheus that lives as long as the process."""

import asyncio
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

MAX_NAMES = 200  # of operations and of clients; clients choose names, and each name is stored for ever
MAX_NAME_LENGTH = 200  # an operation's name may be as long as a document
OTHER = "(other)"
SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
LAG_INTERVAL_S = 0.25


class BoundedNames:
    """The first names that come are themselves; all later ones, and those that are too long, are `OTHER`."""

    def __init__(self, maximum: int = MAX_NAMES) -> None:
        self._maximum = maximum
        self._known: set[str] = set()

    def __call__(self, name: str) -> str:
        if name not in self._known:
            if len(self._known) >= self._maximum or len(name) > MAX_NAME_LENGTH:
                return OTHER
            self._known.add(name)
        return name


class Instruments:
    """The counters and histograms of a process."""

    # Long because it declares each of them.
    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._operations, self._clients = BoundedNames(), BoundedNames()
        # The counter and the histogram of each combination of labels: to look them up there takes longer than
        # to count. The labels are those of `BoundedNames` and of the code, so that there are not many.
        self._of_operations: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}
        self._of_store_calls: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "sync_gateway_requests",
            "Operations of the graph, also of old routes, by the code of their first error (OK: none).",
            ["operation", "role", "code"],
            registry=registry,
        )
        self._request_seconds = Histogram(
            "sync_gateway_request_seconds",
            "How long operations took.",
            ["operation"],
            buckets=SECONDS,
            registry=registry,
        )
        self._store_calls = Counter(
            "sync_gateway_store_calls",
            "Calls to the stores, by kind and code (OK: no error).",
            ["store", "kind", "code"],
            registry=registry,
        )
        self._store_seconds = Histogram(
            "sync_gateway_store_seconds",
            "How long calls to the stores took.",
            ["store", "kind"],
            buckets=SECONDS,
            registry=registry,
        )
        self._old_routes = Counter(
            "sync_gateway_old_route_requests",
            "Requests of old routes, by the key or subject that sent them.",
            ["route", "client"],
            registry=registry,
        )
        self._lag = Histogram(
            "sync_gateway_event_loop_lag_seconds",
            "How late the event loop runs what is due, measured four times a second.",
            buckets=SECONDS,
            registry=registry,
        )
        self._connections = Gauge("sync_gateway_connections", "Open connections.", registry=registry)

    def count_operation(self, operation: str, role: str, code: str, seconds: float) -> None:
        labels = (self._operations(operation), role, code)
        metrics = self._of_operations.get(labels)
        if metrics is None:
            metrics = self._requests.labels(*labels), self._request_seconds.labels(labels[0])
            self._of_operations[labels] = metrics
        metrics[0].inc()
        metrics[1].observe(seconds)

    def count_store_call(self, store: str, kind: str, seconds: float, code: str) -> None:
        labels = (store, kind, code)
        metrics = self._of_store_calls.get(labels)
        if metrics is None:
            metrics = self._store_calls.labels(*labels), self._store_seconds.labels(store, kind)
            self._of_store_calls[labels] = metrics
        metrics[0].inc()
        metrics[1].observe(seconds)

    def count_old_route(self, route: str, client: str) -> None:
        self._old_routes.labels(route, self._clients(client)).inc()

    def count_connections(self, count: Callable[[], int]) -> None:
        """From now on, `count` tells how many connections are open."""
        self._connections.set_function(count)

    async def watch_lag(self) -> None:
        """Measure how late the event loop is, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_INTERVAL_S
            await asyncio.sleep(LAG_INTERVAL_S)
            self._lag.observe(max(loop.time() - due, 0.0))
