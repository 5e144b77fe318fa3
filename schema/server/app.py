"""The served application: the graph, the health checks, the metrics and the ingest of points."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route

from resolvers.budgets import Budgets
from resolvers.limits import DAY, LimitPolicy, Limits
from resolvers.machine_owners import MachineOwners
from resolvers.series_access import SeriesAccess
from schema.engine.costs.estimator import CostEstimator
from schema.engine.execution import Executor
from schema.server import explorer
from schema.server.address_limit import CountFailures
from schema.server.authentication import Authenticate, Authenticator
from schema.server.backfill import backfill_earlier_points
from schema.server.background import Work, run_in_background
from schema.server.compression import Compressor
from schema.server.cors import Cors
from schema.server.dispatch import DirectEndpoints
from schema.server.graphql_http import GraphQLEndpoint
from schema.server.graphql_request import RequestLimits
from schema.server.health import Health
from schema.server.ingest import WRITE_PATHS, Ingest
from schema.server.ingest_access import IngestAccess
from schema.server.ingest_routing import PointRouter
from schema.server.key_ring import KeyRing
from schema.server.memory import release_unused_memory
from schema.server.metrics import Metrics
from schema.server.observation import Observation
from schema.server.opening import (
    make_series_layout,
    open_audit_trail,
    open_cipher,
    open_icons,
    open_token_check,
)
from schema.server.origins import is_loopback, parse_origin
from schema.server.point_deletion import PointDeletionEndpoint
from schema.server.printed_schema import PrintedSchema
from schema.server.proxies import TrustedProxies
from schema.server.refusal_watch import RefusalWatch
from schema.server.request_guard import RequestGuard
from schema.server.resource_metadata import BearerChallenge, make_resource_metadata_route
from schema.server.resources import Resources, open_resources
from schema.server.retention import delete_old_points
from schema.server.series_migration import migrate_later, try_to_migrate
from schema.server.settings import Settings
from schema.server.startup_check import report_unreachable_stores
from schema.server.state import TRACE_HEADER, AppState
from schema.server.trusted_documents import TrustedDocuments, load_manifest
from schema.types.cost_amounts import ORGANIZATIONS
from schema.types.costs import field_costs
from schema.types.root import schema
from stores.contracts.document_store import DocumentStore
from stores.contracts.samples import SECOND
from stores.contracts.series import SeriesStore, WritableSeriesStore
from stores.embedded import has_had_api_keys, record_api_keys
from stores.wrappers.cached_series import cache_closed_windows

GRAPHQL_PATHS = ("/graphql", "/graphql/")
# What pages of listed origins may read of an answer, beside its body and type.
EXPOSED_HEADERS = [
    "Retry-After",
    "WWW-Authenticate",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Request-Id",
]


# Long because it lists what an application consists of.
def create_app(
    settings: Settings,
    *,
    documents: DocumentStore | None = None,
    series: SeriesStore | None = None,
    authenticate: Authenticate | None = None,
    routes: Sequence[BaseRoute] = (),
    tasks: Mapping[str, Work] = MappingProxyType({}),
    resources: Resources | None = None,
) -> Starlette:
    """The application of the settings. Its `AppState` is `app.state.app_state`.

    Stores and `authenticate` may be passed in; otherwise the settings decide. The application closes its
    resources when it stops, unless `app.state.resources_are_kept`: those of an application may be passed to
    the one that takes its place. `tasks` run in the background, by name.
    """
    resources = resources or open_resources(settings, documents=documents, series=series)
    documents = resources.documents
    key_ring = _make_key_ring(documents, settings)
    check_token = open_token_check(settings)
    limits = LimitPolicy(settings.limits.warn_only, resources.limit_hits)
    budgets = Budgets(resources.buckets, settings.limits.budgets(), limits)
    checked = authenticate or Authenticator(key_ring, check_token, may_be_open=_may_be_open(settings))
    state = AppState(
        documents=documents,
        series=_make_series_access(resources.series, documents, settings),
        icons=open_icons(settings),
        cipher=open_cipher(settings),
        executor=_make_executor(settings, resources),
        authenticate=CountFailures(checked, budgets),
        limits=limits,
        gate=settings.limits.make_gate(limits, settings.server.workers),
        max_answer_bytes=(
            math.inf if limits.only_warns("answer_bytes") else settings.graphql.max_answer_bytes
        ),
        audit=open_audit_trail(settings, documents),
        cache_sizes={
            "keys": key_ring.get_cache_size,
            **({"tokens": check_token.get_cache_size} if check_token else {}),
        },
        max_cost=settings.limits.costs(),
        budgets=budgets,
        resources=resources,
    )
    graphql = _make_graphql_endpoint(state, settings)
    routes_of_graph, metrics = _make_routes(state, settings, graphql)
    needs_credentials = authenticate is not None or _needs_credentials(settings)
    background = {**tasks, **(check_token.tasks() if check_token else {}), **metrics.tasks()}
    app = Starlette(
        routes=[*routes_of_graph, *routes],
        middleware=_make_middleware(state, settings, graphql, needs_credentials),
        lifespan=lambda app: _run_lifespan(app, settings, background, key_ring),
    )
    app.state.app_state, app.state.resources_are_kept = state, False
    return app


def _make_key_ring(documents: DocumentStore, settings: Settings) -> KeyRing:
    return KeyRing(
        documents.database(documents.default),
        had_keys=has_had_api_keys(settings.data),
        record_keys=partial(record_api_keys, settings.data),
    )


def _make_executor(settings: Settings, resources: Resources) -> Executor:
    structure = settings.limits.structure(settings.graphql.max_tokens)
    estimator = CostEstimator(field_costs(), ORGANIZATIONS)
    return Executor(
        schema,
        structure,
        estimator,
        compiled=settings.graphql.compiled,
        counts=resources.query_events,
        record=Observation(resources.instruments, settings.log.slow).record,
    )


def _may_be_open(settings: Settings) -> bool:
    """Whether everybody may do everything as long as no key exists."""
    return not settings.auth.issuers and (settings.server.open or is_loopback(settings.server.host))


def _make_routes(
    state: AppState, settings: Settings, graphql: GraphQLEndpoint
) -> tuple[list[BaseRoute], Metrics]:
    health = Health(state)
    caches = {**state.cache_sizes, "persisted_queries": graphql.persisted_queries.__len__}
    metrics = Metrics(state, health, settings.auth.metrics_token, caches)
    routes = [
        *(Route(path, graphql) for path in GRAPHQL_PATHS),
        PrintedSchema(state.authenticate, settings.graphql).route(),
        *([make_resource_metadata_route(settings.auth.issuers)] if settings.auth.issuers else []),
        *health.routes(),
        Route("/metrics", metrics.answer),
        *([explorer.mount_assets()] if settings.graphql.graphiql else []),
        *_ingest_routes(state, settings),
    ]
    return routes, metrics


def _needs_credentials(settings: Settings) -> bool:
    """Whether no request passes without a credential, which pages that use DNS rebinding do not have."""
    return not _may_be_open(settings) and not settings.compat.anonymous.networks


def _make_middleware(
    state: AppState, settings: Settings, graphql: GraphQLEndpoint, needs_credentials: bool
) -> list[Middleware]:
    """What each request passes through, outermost first."""
    server = settings.server
    proxies = [Middleware(TrustedProxies, trusted=server.trusted_proxies)] if server.trusted_proxies else []
    return [
        *proxies,
        Middleware(RefusalWatch, audit=state.audit),
        Middleware(
            RequestGuard,
            origins=[parse_origin(origin) for origin in server.cors_allowed_origins],
            hosts=None if needs_credentials else [*server.hosts, server.host],
            paths_with_credentials=WRITE_PATHS if settings.series.token else [],
        ),
        Middleware(
            Cors,
            allow_origins=server.cors_allowed_origins,
            allow_credentials=True,
            allow_methods=["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"],
            allow_headers=["Content-Type", "Authorization", "X-API-Key", "Idempotency-Key", TRACE_HEADER],
            expose_headers=EXPOSED_HEADERS,
        ),
        *([Middleware(BearerChallenge)] if settings.auth.issuers else []),
        Middleware(DirectEndpoints, endpoints=dict.fromkeys(GRAPHQL_PATHS, graphql)),
    ]


def _make_series_access(store: SeriesStore, documents: DocumentStore, settings: Settings) -> SeriesAccess:
    series, memory_bytes = settings.series, settings.limits.share_memory(settings.server.workers)
    return SeriesAccess(
        cache_closed_windows(store, series.cache_rules(memory_bytes)),
        make_series_layout(series, store),
        Limits(series.max_range_days * DAY, series.max_windows, series.max_points),
        series.stale_after * SECOND,
        series.time_zone,
        alarm_classes=series.alarm_classes,
        alarm_clear=series.alarm_clear,
        future_tolerance=series.future_tolerance * SECOND,
        running_states=series.running_states,
        owners=MachineOwners(documents),
    )


def _make_graphql_endpoint(state: AppState, settings: Settings) -> GraphQLEndpoint:
    return GraphQLEndpoint(
        state.executor,
        state.create_context,
        page=explorer.render_page if settings.graphql.graphiql else None,
        limits=RequestLimits(
            settings.graphql.max_body_bytes, settings.graphql.max_json_depth, settings.limits.batch
        ),
        max_answer_bytes=settings.graphql.max_answer_bytes,
        find_version=lambda: (state.executor.mutations, state.series.store.version),
        anonymous_introspection=settings.graphql.anonymous_introspection,
        trusted_documents=_load_trusted_documents(settings),
        compressor=Compressor() if settings.graphql.compression else None,
    )


def _load_trusted_documents(settings: Settings) -> TrustedDocuments:
    """The trusted documents of the settings. Raises `SettingsError`."""
    path = settings.graphql.documents
    documents = {} if path is None else load_manifest(path, schema._schema)
    return TrustedDocuments(documents, only=settings.graphql.only_trusted)


def _ingest_routes(state: AppState, settings: Settings) -> list[Route]:
    """The routes that writers of points use. There are none if a server stores the series."""
    store = state.series.store
    if not isinstance(store, WritableSeriesStore):
        return []
    router = PointRouter(state.series.layout, state.series.owners or MachineOwners(state.documents))
    access = IngestAccess(state.authenticate, settings.series.token)
    deletion = PointDeletionEndpoint(store, router, state.authenticate, state.audit, state.limits)
    ingest = Ingest(store, router, access, state.gate, state.series.future_tolerance)
    return [*ingest.routes(), deletion.route()]


@contextlib.asynccontextmanager
async def _run_lifespan(
    app: Starlette, settings: Settings, tasks: Mapping[str, Work], key_ring: KeyRing
) -> AsyncIterator[None]:
    """Run the background tasks while the application runs, then close the stores."""
    state: AppState = app.state.app_state
    store, retention_days = state.series.store, settings.series.retention_days
    work: dict[str, Work] = {
        "check of the stores": partial(report_unreachable_stores, state, settings),
        "release of memory": partial(release_unused_memory, state.gate.is_idle),
        "lag of the event loop": state.resources.instruments.watch_lag,
        **tasks,
    }
    if isinstance(store, WritableSeriesStore):
        # Before the first request, which would not find what is not migrated.
        stores = store, state.series.layout, state.series.owners or MachineOwners(state.documents)
        if not await try_to_migrate(*stores):
            work["migration of series"] = partial(migrate_later, *stores)
        work["backfill of rollups"] = partial(backfill_earlier_points, store)
        if retention_days is not None:
            work["retention"] = partial(delete_old_points, store, retention_days, settings.series.rollup_days)
    try:
        async with run_in_background(work):
            yield
    finally:
        async with asyncio.timeout(settings.documents.deadline + settings.series.deadline):
            await key_ring.close()
            await state.audit.close()
            if not app.state.resources_are_kept:
                await state.resources.close()
