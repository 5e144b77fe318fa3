"""The metrics of several processes as those of one."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from schema.server.metrics_exchange import merge


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


def test_counters_add_up_and_a_fault_of_one_worker_is_seen() -> None:
    merged = merge(
        [make_text({"OK": 2, 'a"b': 1}, [0.5, 1.5], 1, 3), make_text({"OK": 5}, [1.5, 9.0], 0, 4)]
    ).decode()
    families = {family.name: family for family in text_string_to_metric_families(merged)}
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families.values()
        for sample in family.samples
    }
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
