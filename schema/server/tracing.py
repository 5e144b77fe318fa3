"""Traces of requests for OpenTelemetry, sent by OTLP over HTTP. The SDK is an extra of the package."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING

from opentelemetry import propagate
from opentelemetry.context import Context
from opentelemetry.trace import Tracer

from schema.server.tracing_settings import TracingSettings
from schema.server.yaml_file import SettingsError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

NAME = "sync-gateway"
EXPORT_S = 3  # with all its repetitions: a collector that is down does not hold up the end of the process


class Tracing:
    """The tracer of a process. Raises `SettingsError` if the extra is not installed."""

    def __init__(self, settings: TracingSettings) -> None:
        self._provider = _make_provider(settings) if settings.endpoint else None
        self.tracer: Tracer | None = self._provider.get_tracer(NAME) if self._provider else None

    def find_parent(self, headers: Mapping[str, str]) -> Context | None:
        """The place in a trace that a request names by `traceparent` (https://www.w3.org/TR/trace-context/)."""
        return propagate.extract(headers) if self.tracer is not None else None

    def close(self) -> None:
        """Send what is not sent yet."""
        if self._provider is not None:
            self._provider.shutdown()


def _make_provider(settings: TracingSettings) -> "TracerProvider":
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    except ImportError:
        raise SettingsError(
            "tracing.endpoint needs the extra tracing: docs/operations.md says how to install it"
        ) from None
    resource = Resource.create({"service.name": NAME, "service.version": version(NAME)})
    provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(settings.sample)))
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.endpoint, timeout=EXPORT_S))
    )
    return provider
