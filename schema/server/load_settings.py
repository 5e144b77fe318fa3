"""The settings of the limits of connections and of the execution of requests."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from resolvers.limits import LimitPolicy
from schema.server.client_connections import ConnectionLimits
from schema.server.execution_gate import ExecutionGate, GateLimits
from schema.server.memory import MemoryGauge, read_cgroup_limit

LoadLimitName = Literal[
    "request_seconds",
    "queued",
    "memory_bytes",
    "head_seconds",
    "body_seconds",
    "write_seconds",
    "request_line_bytes",
    "header_bytes",
    "unsent_bytes",
    "connections",
    "connections_per_address",
]


class LoadSettings(BaseModel):
    """What connections may take, and how much is executed at the same time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    request_seconds: float = Field(
        default=30.0,
        gt=0,
        le=3600,
        description="Seconds that a request may take once it is read; its calls to stores have no more time"
        " than is left. A change that has begun is not ended.",
    )
    executing: int = Field(
        default=64, ge=1, description="The maximum number of requests that are executed at the same time."
    )
    executing_expensive: int = Field(
        default=2,
        ge=1,
        description="The maximum number of expensive requests, by their estimated cost, that are executed at"
        " the same time, beside the others.",
    )
    queued: int = Field(
        default=256,
        ge=0,
        description="The maximum number of requests that wait to be executed, expensive ones and others each."
        " More are answered 503 at once.",
    )
    memory_bytes: int | None = Field(
        default=None,
        ge=64 * 1024 * 1024,
        description="The memory that the gateway may use, of which each worker has its part. From 75 % of it,"
        " expensive requests are answered 503, from 90 % all of them. Null takes the limit of the control"
        " group (container or service).",
    )
    head_seconds: float = Field(
        default=10.0, gt=0, description="Seconds in which the request line and the headers have to arrive."
    )
    body_seconds: float = Field(
        default=10.0,
        gt=0,
        description="Seconds that a body may fall behind `bytes_per_second`.",
    )
    idle_seconds: float = Field(
        default=30.0, gt=0, description="Seconds after which an idle connection is closed."
    )
    write_seconds: float = Field(
        default=30.0,
        gt=0,
        description="Seconds that the reader of an answer may fall behind `bytes_per_second`.",
    )
    bytes_per_second: int = Field(
        default=1024, ge=1, description="How fast clients have to send bodies, and to read answers."
    )
    request_line_bytes: int = Field(
        default=16 * 1024, ge=512, description="The maximum size of a request line in bytes."
    )
    header_bytes: int = Field(
        default=32 * 1024,
        ge=1024,
        description="The maximum size of the headers of a request in bytes; each counts 32 more than it has.",
    )
    unsent_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=1024 * 1024,
        description="The maximum size of what all clients together have not read yet. The connections of"
        " those who wait longest are closed.",
    )
    connections: int = Field(default=2000, ge=1, description="The maximum number of connections.")
    connections_per_address: int = Field(
        default=500,
        ge=1,
        description="The maximum number of connections of one address (IPv6: one /64 network) that is not in"
        " `server.trusted_proxies`.",
    )

    def of_connections(self) -> ConnectionLimits:
        """The limits of connections."""
        names = ConnectionLimits.__dataclass_fields__.keys()
        return ConnectionLimits(**{name: getattr(self, name) for name in names})

    def share_memory(self, workers: int) -> int | None:
        """The memory that one of so many processes may use, in bytes; None is any amount."""
        together = self.memory_bytes or read_cgroup_limit()
        return None if together is None else together // workers

    def make_gate(self, policy: LimitPolicy, workers: int = 1) -> ExecutionGate:
        """What admits requests to their execution in one of so many processes."""
        names = GateLimits.__dataclass_fields__.keys()
        limits = GateLimits(**{name: getattr(self, name) for name in names})
        return ExecutionGate(limits, MemoryGauge(self.share_memory(workers)), policy)
