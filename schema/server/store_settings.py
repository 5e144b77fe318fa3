"""The settings of the stores of documents and of time series."""

from collections import Counter
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from schema.server.settings_section import Section
from stores.contracts.samples import MACHINE
from stores.entities.machine_events import STATISTICS
from stores.wrappers.closed_windows import MIN_SETTLED_AFTER_S, CacheRules

DOCUMENT_SCHEMES = ("mongodb://", "mongodb+srv://", "sqlite:///")
SERIES_SCHEMES = ("http://", "https://", "influxdb2+http://", "influxdb2+https://", "sqlite:///")


class DocumentSettings(Section):
    """The document store: organizations, applications, devices, connectors."""

    url: SecretStr | None = Field(
        default=None,
        description="mongodb://..., mongodb+srv://... or sqlite:///FILE."
        " Null is a file in the folder `data`.",
    )
    driver: Literal["pymongo", "motor"] = Field(default="pymongo", description="The driver for MongoDB.")
    deadline: float = Field(
        default=5.0,
        gt=0,
        le=300,
        description="Seconds that a call may take, waiting included, before the answer is UNAVAILABLE.",
    )
    pool: int = Field(default=50, ge=1, le=10_000, description="The maximum number of MongoDB connections.")

    @field_validator("url")
    @classmethod
    def _check_scheme(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(DOCUMENT_SCHEMES):
            raise ValueError("the URL must start with mongodb://, mongodb+srv:// or sqlite:///")
        return url


def _check_time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("the time zone must be an IANA name such as Europe/Berlin") from None
    return name


class SeriesSettings(Section):
    """The time-series store: what machines report."""

    url: SecretStr | None = Field(
        default=None,
        description="http(s)://... is InfluxDB 3, influxdb2+http(s)://... is InfluxDB 2; or sqlite:///FILE."
        " Null is a file in the folder `data`.",
    )
    token: SecretStr | None = Field(
        default=None,
        description="The token of the InfluxDB server. With the embedded store: the token that writers of"
        " points must send; null asks for none.",
    )
    org: str = Field(default="", description="The organization of InfluxDB 2.")
    database: str = Field(
        default="machines",
        min_length=1,
        description="With a server: the database or bucket of the organizations without one of their own."
        " With the embedded store: that of points that belong to no organization yet.",
    )
    databases: dict[str, str] = Field(
        default={},
        description="The databases or buckets of organizations that have one of their own, such as"
        " {acme: acme_machines}. In the embedded store every organization has one without an entry.",
    )
    organization_tag: str | None = Field(
        default=None,
        min_length=1,
        description="InfluxDB: the tag by which the points of organizations that share `database` are"
        " distinguished. Its value is the organization's id, and whoever writes points sets it.",
    )
    shared: bool = Field(
        default=False,
        description="InfluxDB: organizations share `database` and are distinguished by machine id alone, and"
        " a machine id that two of them have is answered with CONFLICT. This is also so if nothing is chosen,"
        " with a warning at the start.",
    )
    deadline: float = Field(
        default=5.0,
        gt=0,
        le=300,
        description=(
            "Seconds that a call may take, waiting included, before its field is UNAVAILABLE. In the embedded"
            " store, long reads wait for each other before that."
        ),
    )
    retention_days: int | None = Field(
        default=None,
        ge=1,
        description="Days after which points are deleted from the embedded store. Null keeps all points.",
    )
    rollup_days: int | None = Field(
        default=None,
        ge=1,
        description="Days after which the hourly rollups of deleted points are deleted from the embedded"
        " store. Null keeps all rollups.",
    )
    time_zone: Annotated[str, AfterValidator(_check_time_zone)] = Field(
        default="UTC",
        description="The IANA time zone, such as Europe/Berlin, of ranges and calendar units that name none.",
    )
    running_states: tuple[str, ...] = Field(
        default=("ACTIVE",),
        description="The values of `execution` of a machine that runs; its availability depends on them.",
    )
    stale_after: int = Field(
        default=900, ge=1, description="Seconds after which the last status of a machine is stale."
    )
    alarm_classes: tuple[str, ...] = Field(
        default=("ALARM",),
        min_length=1,
        description="The classes of the events that are alarms, where a request names none.",
    )
    alarm_clear: str = Field(
        default="NONE", description="The value of such an event that ends an alarm and is none itself."
    )
    future_tolerance: int = Field(
        default=300,
        ge=0,
        le=10**9,
        description="Seconds that the clock of a machine may be ahead. Points of later times are rejected"
        " when they are written; stored ones say nothing about the current status.",
    )
    settled_after: int = Field(
        default=900,
        ge=MIN_SETTLED_AFTER_S,
        le=10**9,
        description="Seconds after which a window that has ended is closed, and its values are cached. Points"
        " that come later change them at once in the embedded store, and on a server after `closed_ttl`.",
    )
    closed_ttl: int = Field(
        default=3600,
        ge=0,
        le=10**9,
        description="InfluxDB: seconds after which the values of closed windows are read again.",
    )
    closed_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=0,
        description="The memory for the values of closed windows, at most an eighth of `limits.memory_bytes`."
        " 0 caches none.",
    )
    max_range_days: int = Field(
        default=400, ge=1, le=100_000, description="The maximum number of days of a range."
    )
    max_windows: int = Field(default=50_000, ge=1, description="The maximum number of windows of a series.")
    max_points: int = Field(
        default=1_000_000, ge=1, description="The maximum number of points of an answer, and of one query."
    )

    def cache_rules(self, memory_bytes: int | None) -> CacheRules:
        """When windows are cached, in a process that may use `memory_bytes`; None is any amount."""
        limit = self.closed_bytes if memory_bytes is None else min(self.closed_bytes, memory_bytes // 8)
        return CacheRules(self.settled_after, self.closed_ttl, limit)

    @property
    def is_embedded(self) -> bool:
        return self.url is None or self.url.get_secret_value().startswith("sqlite:///")

    @model_validator(mode="after")
    def _check_databases(self) -> "SeriesSettings":
        names = [self.database, STATISTICS, *self.databases.values()]
        repeated = [name for name, count in Counter(names).items() if count > 1]
        if repeated:
            raise ValueError(f"`databases`: each organization needs a database of its own, not {repeated[0]}")
        if self.shared and self.organization_tag is not None:
            raise ValueError("choose `shared` or `organization_tag`")
        if self.is_embedded and (self.shared or self.organization_tag is not None):
            raise ValueError(
                "`shared` and `organization_tag` are for InfluxDB: in the embedded store every organization"
                " has a database of its own"
            )
        if self.organization_tag == MACHINE:
            raise ValueError(f"`organization_tag`: the tag {MACHINE} names the machine")
        return self

    @model_validator(mode="after")
    def _check_rollup_days(self) -> "SeriesSettings":
        if self.rollup_days is not None and self.rollup_days < (self.retention_days or self.rollup_days + 1):
            raise ValueError("`rollup_days` needs `retention_days`, and must not be less")
        return self

    @field_validator("url")
    @classmethod
    def _check_scheme(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(SERIES_SCHEMES):
            raise ValueError(
                "the URL must start with http(s):// (InfluxDB 3), influxdb2+http(s):// (InfluxDB 2) or sqlite:///"
            )
        return url
