"""The settings of the stores of documents and of time series."""

from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr, field_validator

from schema.server.settings_section import Section

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
        description="The database or bucket of every organization without one of its own.",
    )
    databases: dict[str, str] = Field(
        default={},
        description="The databases or buckets of organizations that have one of their own, such as"
        " {acme: acme_machines}.",
    )
    deadline: float = Field(
        default=5.0,
        gt=0,
        le=300,
        description="Seconds that a call may take, waiting included, before its field is UNAVAILABLE.",
    )
    retention_days: int | None = Field(
        default=None,
        ge=1,
        description="Days after which points are deleted from the embedded store. Null keeps all points.",
    )
    time_zone: Annotated[str, AfterValidator(_check_time_zone)] = Field(
        default="UTC",
        description="The IANA time zone, such as Europe/Berlin, of ranges and calendar units that name none.",
    )
    stale_after: int = Field(
        default=900, ge=1, description="Seconds after which the last status of a machine is stale."
    )
    max_range_days: int = Field(
        default=400, ge=1, le=100_000, description="The maximum number of days of a range."
    )
    max_windows: int = Field(default=50_000, ge=1, description="The maximum number of windows of a series.")
    max_points: int = Field(
        default=1_000_000, ge=1, description="The maximum number of points of an answer, and of one query."
    )

    @field_validator("url")
    @classmethod
    def _check_scheme(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(SERIES_SCHEMES):
            raise ValueError(
                "the URL must start with http(s):// (InfluxDB 3), influxdb2+http(s):// (InfluxDB 2) or sqlite:///"
            )
        return url
