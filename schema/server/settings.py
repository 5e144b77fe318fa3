"""The settings: their types, defaults, limits and descriptions, from which the reference is made."""

import ipaddress
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from schema.server.issuer_settings import AuthSettings, RoleName
from schema.server.limit_settings import LimitSettings
from schema.server.origins import parse_host, parse_origin
from schema.server.settings_section import Section
from schema.server.store_settings import DocumentSettings, SeriesSettings
from schema.server.tls import TlsSettings
from schema.server.tracing_settings import TracingSettings


class ServerSettings(Section):
    """The HTTP server."""

    host: str = Field(
        default="127.0.0.1",
        description="The address to listen on. One that other machines can reach needs an API key,"
        " `auth.issuers`, or `server.open`.",
    )
    port: int = Field(default=3000, ge=0, le=65535, description="The port to listen on. 0 takes a free one.")
    open: bool = Field(
        default=False,
        description="Serve other machines although no API key exists: until one does, whoever reaches the"
        " port may do everything.",
    )
    hosts: tuple[str, ...] = Field(
        default=(),
        description="The names with a dot by which clients call the gateway, such as gateway.factory.example."
        " IP addresses, names without a dot and the hosts of `server.cors_allowed_origins` need no entry.",
    )
    cors_allowed_origins: tuple[str, ...] = Field(
        default=(),
        description="The origins of pages on other servers that may call the gateway from a browser, with"
        " credentials, such as https://console.example. `*` is rejected.",
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=(),
        description="The IP addresses or networks of reverse proxies whose X-Forwarded-For, -Proto and -Host"
        " headers count, such as 10.0.0.0/8.",
    )
    tls: TlsSettings = TlsSettings()
    workers: int = Field(
        default=1,
        ge=1,
        le=256,
        description="The number of processes that answer requests, over MongoDB and InfluxDB. The embedded"
        " stores serve one process.",
    )
    drain: float = Field(
        default=5.0,
        ge=0,
        le=600,
        description="Seconds for which, at SIGTERM, `/health/ready` says no before connections are refused."
        " It ends as soon as a probe has received that answer, and is left out where nothing probes.",
    )
    grace: float = Field(
        default=20.0,
        ge=0,
        le=3600,
        description="Seconds for which requests may go on after that. What still runs then is cancelled.",
    )

    @field_validator("hosts")
    @classmethod
    def _check_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(_parse_host_name, hosts))

    @field_validator("cors_allowed_origins")
    @classmethod
    def _normalize_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(_normalize_origin, origins)))

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        return _parse_networks(networks)


def _parse_networks(networks: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(ipaddress.ip_network(network, strict=False)) for network in networks)


def _parse_host_name(text: str) -> str:
    try:
        host = parse_host(text)
    except ValueError:
        host = None
    if host is None or host.port is not None:
        raise ValueError(f"{text!r} is not a host name; write it without scheme and port")
    return host.name


def _normalize_origin(text: str) -> str:
    if text == "*":
        raise ValueError(
            "'*' is not an origin: any origin together with credentials would let every page act for its"
            " reader. List each origin, such as https://console.example; pages of the gateway's own origin,"
            " or behind a proxy of their own, need no entry"
        )
    try:
        return str(parse_origin(text))
    except ValueError as error:
        raise ValueError(f"{text!r} is not an origin: {error}") from None


class AnonymousSettings(Section):
    """Old clients that send no credentials, such as the old console. They reach the old routes only."""

    networks: tuple[str, ...] = Field(
        default=(),
        description="The IP addresses or networks that may use the old routes without a credential, such as"
        " 10.1.0.0/16. None by default.",
    )
    role: RoleName = Field(default="viewer", description="The role of these clients.")
    organizations: tuple[str, ...] = Field(
        default=(),
        description="The organizations that these clients may access. For the role operator: none, it may"
        " access all of them.",
    )

    @field_validator("networks")
    @classmethod
    def _check_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        return _parse_networks(networks)

    @model_validator(mode="after")
    def _check_rights(self) -> "AnonymousSettings":
        if self.networks and (self.role == "operator") == bool(self.organizations):
            raise ValueError("name the organizations of these clients, unless their role is operator")
        return self


class CompatSettings(Section):
    """The old REST routes."""

    anonymous: AnonymousSettings = AnonymousSettings()


class SecretSettings(Section):
    """The keys that secrets of services and connectors are encrypted with."""

    key_file: Path | None = Field(
        default=None,
        description="The file of the keys, one on each line, the newest first. Null: secrets.key in the"
        " folder `data`, which is created. Gateways that use one MongoDB need the same keys.",
    )
    keys: tuple[SecretStr, ...] = Field(
        default=(), description="The keys themselves, for deployments that pass them in the environment."
    )
    paths: tuple[str, ...] = Field(
        default=(),
        description="Paths of secrets beside those with well-known names, such as properties.station.pin. *"
        " stands for any name. The strings at a path and below it are encrypted and masked.",
    )
    plain_text: bool = Field(
        default=False,
        description="Store secrets in plain text, because other programs read them from the store. They are"
        " masked nevertheless.",
    )

    @field_validator("paths")
    @classmethod
    def _check_paths(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for path in paths:
            if not all(path.split(".")) or path.split(".")[0] == "*":
                raise ValueError("a path is a dotted name, and begins with the name of a field")
        return paths


class GraphQLSettings(Section):
    """The endpoint /graphql."""

    graphiql: bool = Field(default=True, description="Show GraphiQL to browsers at /graphql.")
    anonymous_introspection: bool = Field(
        default=True,
        description="Whether clients without a credential may introspect. Without introspection, errors"
        " suggest no names. Such clients reach /graphql only while no credential is required.",
    )
    compiled: bool = Field(default=True, description="Compile queries that are sent more than once.")
    compression: bool = Field(
        default=True,
        description="Compress answers to queries, from 1 KB, with Brotli or gzip as the client accepts. Old"
        " routes are never compressed.",
    )
    documents: Path | None = Field(
        default=None,
        description="The manifest of trusted documents, which clients request by `documentId`: a JSON object"
        " of documents by id, as the client preset of GraphQL Code Generator writes it.",
    )
    only_trusted: bool = Field(
        default=False, description="Execute only trusted documents, except for operators."
    )
    max_tokens: int = Field(default=5000, ge=10, description="The maximum number of tokens of a document.")
    max_body_bytes: int = Field(
        default=1024 * 1024, ge=1024, description="The maximum size of a request in bytes."
    )
    max_json_depth: int = Field(
        default=64, ge=4, le=500, description="The maximum number of levels of a request's JSON."
    )
    max_answer_bytes: int = Field(
        default=64 * 1024 * 1024, ge=1024, description="The maximum size of an answer in bytes."
    )


class AuditSettings(Section):
    """The audit log: who changed what, and what was refused."""

    entries: int = Field(
        default=10_000,
        ge=1,
        le=10_000_000,
        description="How many changes the audit log of each organization holds, and how many refusals: the"
        " newest. The same goes for what belongs to no organization.",
    )


class LogSettings(Section):
    """The log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The lowest level that is logged."
    )
    format: Literal["auto", "console", "json"] = Field(
        default="auto", description="`auto` is `console` on a terminal and `json` elsewhere."
    )
    slow: float | None = Field(
        default=2.0,
        ge=0,
        description="Operations that take so many seconds are logged, with what each store took of it. Null"
        " logs none.",
    )


class Settings(Section):
    """All settings."""

    server: ServerSettings = ServerSettings()
    data: Path = Field(
        default=Path("data"),
        description="The folder of the embedded stores and of the icons, relative to the working directory.",
    )
    documents: DocumentSettings = DocumentSettings()
    series: SeriesSettings = SeriesSettings()
    secrets: SecretSettings = SecretSettings()
    auth: AuthSettings = AuthSettings()
    compat: CompatSettings = CompatSettings()
    graphql: GraphQLSettings = GraphQLSettings()
    limits: LimitSettings = LimitSettings()
    audit: AuditSettings = AuditSettings()
    log: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()
