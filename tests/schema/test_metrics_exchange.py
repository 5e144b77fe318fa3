"""The metrics of several processes as those of one."""

import asyncio
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from schema.server.metrics_exchange import MetricsExchange, WorkerPlace, merge


def make_text(requests: dict[str, int], seconds: list[float], writable: int, connections: int) -> bytes:
    registry = CollectorRegistry()
    counter = Counter("sync_gateway_requests", "Requests.", ["code"], registry=registry)
    for code, number in requests.items():
        counter.labels(code).inc(number)
    histogram = Histogram("sync_gateway_request_seconds", "Seconds.", buckets=(1, 2), registry=registry)
    for value in seconds:
        histogram.observe(value)
    Gauge("sync_gateway_store_writable", "Writable.", registry=registry).set(writable)
    Gauge("sync_gateway_store_suspended", "Suspended.", registry=registry).set(1 - writable)
    Gauge("sync_gateway_connections", "Connections.", registry=registry).set(connections)
    return generate_latest(registry)


def read_samples(text: bytes) -> dict[tuple[str, ...], float]:
    """The samples by name and the values of their labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_counters_add_up_and_a_fault_of_one_worker_is_seen() -> None:
    merged = merge([make_text({"OK": 2, 'a"b': 1}, [0.5, 1.5], 1, 3), make_text({"OK": 5}, [1.5, 9.0], 0, 4)])
    families = {family.name: family for family in text_string_to_metric_families(merged.decode())}
    samples = read_samples(merged)
    assert samples["sync_gateway_requests_total", "OK"] == 7
    assert samples["sync_gateway_requests_total", 'a"b'] == 1
    assert samples["sync_gateway_request_seconds_count",] == 4
    assert samples["sync_gateway_request_seconds_sum",] == 12.5
    assert samples["sync_gateway_request_seconds_bucket", "1.0"] == 1
    assert samples["sync_gateway_request_seconds_bucket", "+Inf"] == 4
    assert samples["sync_gateway_store_writable",] == 0
    assert samples["sync_gateway_store_suspended",] == 1
    assert samples["sync_gateway_connections",] == 7
    assert families["sync_gateway_requests"].type == "counter"
    assert families["sync_gateway_request_seconds"].type == "histogram"


async def test_totals_of_a_dead_worker_stay(tmp_path: Path) -> None:
    """Neither while nobody is in its place, nor with the next process, nor with the one after that."""

    def begin(index: int, number: int) -> MetricsExchange:
        text = make_text({"OK": number}, [0.5] * number, 1, number)
        return MetricsExchange(WorkerPlace.take(index, 2, tmp_path), lambda: text)

    async def scrape() -> tuple[float, ...]:
        samples = read_samples(await first.gather())
        names = (
            "sync_gateway_requests_total",
            "sync_gateway_request_seconds_count",
            "sync_gateway_connections",
        )
        return tuple(sum(value for key, value in samples.items() if key[0] == name) for name in names)

    first = begin(0, 1)
    assert await scrape() == (1, 1, 1)
    for number, (requests, connections) in {2: (3, 3), 4: (7, 5), 8: (15, 9)}.items():
        serving = asyncio.create_task(begin(1, number).serve())
        while not (tmp_path / "1.sock").exists():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)
        assert await scrape() == (requests, requests, connections)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        (tmp_path / "1.sock").unlink(missing_ok=True)
        assert await scrape() == (requests, requests, 1)
