"""What the gateway measures of itself, in a registry of Prometheus that lives as long as the process."""

import asyncio
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

from schema.server.timed_events import SECONDS, TimedEvents

MAX_NAMES = 200  # of operations and of clients; clients choose names, and each name is stored for ever
MAX_NAME_LENGTH = 200  # an operation's name may be as long as a document
OTHER = "(other)"
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
        ProcessCollector(registry=registry)
        self._requests = TimedEvents(
            (
                "sync_gateway_requests",
                "Operations of the graph, also of old routes, by the code of their first error (OK: none).",
            ),
            ("sync_gateway_request_seconds", "How long operations took."),
            ["operation", "role", "code"],
            timed=1,
        )
        self.store_calls = TimedEvents(
            ("sync_gateway_store_calls", "Calls to the stores, by kind and code (OK: no error)."),
            ("sync_gateway_store_seconds", "How long calls to the stores took."),
            ["store", "kind", "code"],
            timed=2,
        )
        registry.register(self._requests)
        registry.register(self.store_calls)
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
        self._requests.add((self._operations(operation), role, code), seconds)

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
