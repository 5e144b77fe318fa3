"""The settings of traces."""

from pydantic import Field

from schema.server.settings_section import Section


class TracingSettings(Section):
    """Traces, sent to a collector of OpenTelemetry."""

    endpoint: str | None = Field(
        default=None,
        description="The URL to which traces are sent by OTLP over HTTP, such as"
        " http://127.0.0.1:4318/v1/traces. It needs the extra `tracing` of the package.",
    )
    sample: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="The part of the requests that are traced, unless the client decides.",
    )
