"""The viewer of a request and what they may access: all data of a tenant is read through the viewer."""

import time
from abc import ABC, abstractmethod
from asyncio import Future, ensure_future
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from loaders import Loaders, StoreLoaders
from loaders.batching import Loader
from loaders.readings import Readings
from resolvers.budgets import RequestBudget
from resolvers.granted_store import NO_DATABASE, GrantedDocumentStore
from resolvers.grants import OPEN, Grant
from resolvers.hints import Hints
from resolvers.limits import LimitPolicy, Limits
from resolvers.machine_owners import MachineOwners, find_conflicts, list_owners
from resolvers.metering import Meter
from resolvers.series_access import SeriesAccess
from resolvers.turns import FREE_TURN, Turn
from stores.contracts.document_store import DatabaseInfo, DocumentDatabase, DocumentStore
from stores.contracts.documents import Document, IdempotencyKey
from stores.contracts.errors import BadUserInput
from stores.contracts.journal import Journal
from stores.contracts.series import WritableSeriesStore
from stores.entities.cipher import SecretCipher
from stores.entities.icons import Icons
from stores.entities.organizations import is_organization_id
from stores.entities.series_layout import SeriesLocation
from stores.wrappers.series import wrap_series
from stores.wrappers.tagged import TaggedSeriesDatabase


@dataclass(frozen=True, slots=True)
class Tenant:
    """The documents of one organization (without an id: what belongs to none) within one request."""

    organization_id: str | None
    documents: DocumentDatabase
    loaders: Loaders


class Viewer:
    """Who sends a request, and the only way to data: what the `grant` does not cover does not exist."""

    def __init__(
        self, store: DocumentStore, series: SeriesAccess, grant: Grant = OPEN, meter: Meter | None = None
    ) -> None:
        self._whole_store = store
        self._granted_store = GrantedDocumentStore(store, grant)
        self._store: DocumentStore = store if grant.is_operator else self._granted_store
        self._series, self._meter = series, meter
        self.grant = grant
        self._journal: Journal | None = None
        self._tenants: dict[str, Tenant] = {}
        self._readings: dict[SeriesLocation, Readings] = {}
        self._readings_of: dict[str | None, Readings] = {}  # by organization
        self.owners = series.owners or MachineOwners(store)
        self._databases: Future[dict[str, DatabaseInfo]] | None = None
        self.across = StoreLoaders(self._store)  # of reads in the databases of several tenants
        self._owners_loader: Loader[str, frozenset[str]] | None = None

    @cached_property
    def series(self) -> SeriesAccess:
        """The time-series store, whose calls the meter counts."""
        if self._meter is None:
            return self._series
        return self._series.with_store(wrap_series(self._series.store, self._meter))

    @property
    def series_scope(self) -> tuple[int, Limits, str]:
        """What the cost of series depends on: how many databases there are, the limits and the time zone."""
        return self._series.number_of_databases, self._series.limits, self._series.time_zone

    def tenant(self, organization_id: str) -> Tenant:
        """The documents of an organization. Raises `BadUserInput` if no organization can have this id."""
        _check_organization_id(organization_id)
        return self._make_tenant(organization_id, organization_id)

    @property
    def key_documents(self) -> DocumentDatabase:
        """The database that holds the API keys, for those who administer keys: they check the grant."""
        return self._add_journal(self._whole_store.database(self._store.default))

    def shared_tenant(self) -> Tenant:
        """The documents that belong to no organization: services and legacy devices."""
        return self._make_tenant(self._store.default, None)

    def readings(self, organization_id: str | None) -> Readings:
        """The loaders of an organization's series, or of those that belong to none.

        Raises `BadUserInput` if no organization can have this id.
        """
        readings = self._readings_of.get(organization_id)
        if readings is None:
            readings = self._readings_of[organization_id] = self._open_readings(organization_id)
        return readings

    async def databases(self) -> dict[str, DatabaseInfo]:
        """The databases that the viewer may see, in byte order of their names.

        The default database is among them, though it may not be an organization.
        """
        if self._databases is None:
            self._databases = ensure_future(self._list())
        return await self._databases

    async def _list(self) -> dict[str, DatabaseInfo]:
        databases = await self._store.list_databases()
        return {
            info.name: info
            for info in sorted(databases, key=lambda info: info.name)
            if is_organization_id(info.name)
        }

    async def organization_ids(self) -> list[str]:
        return list(await self.databases())

    def is_default(self, organization_id: str) -> bool:
        """Whether this is the name of the default database, which may not be an organization."""
        return organization_id == self._store.default

    def record_changes(self, journal: Journal) -> None:
        """From now on, whatever the viewer writes is recorded in `journal`."""
        self._journal = journal
        self._tenants.clear()  # their databases have another journal, or none

    def _add_journal(self, documents: DocumentDatabase) -> DocumentDatabase:
        return documents if self._journal is None else documents.with_journal(self._journal)

    def forget_owners(self) -> None:
        """Discard what all requests know of the owners of machine ids, because devices may have changed."""
        self.owners.forget()

    def discard_loaded(self) -> None:
        """Discard what the request has loaded, because the store has changed."""
        self._databases = None
        self._owners_loader = None
        self.across.clear()
        for tenant in self._tenants.values():
            tenant.loaders.clear()
        for readings in (*self._readings.values(), *self._readings_of.values()):
            readings.clear()

    def cancel_loads(self) -> None:
        """Cancel the calls to stores that are running: nobody waits for them any more."""
        self.across.cancel()
        if self._owners_loader is not None:
            self._owners_loader.cancel()
        for tenant in self._tenants.values():
            tenant.loaders.cancel()
        for readings in (*self._readings.values(), *self._readings_of.values()):
            readings.cancel()

    async def list_owners(self, machine_ids: Sequence[str]) -> list[frozenset[str]]:
        """The organizations that have registered each machine id, whoever may see them: for operators.

        All that a request asks for together are one call. Raises `Unavailable`.
        """
        if self._owners_loader is None:
            self._owners_loader = Loader(partial(list_owners, self.owners, self._whole_store))
        return await self._owners_loader.load_many(machine_ids)

    def all_readings(self, organization_ids: Iterable[str]) -> list[Readings]:
        """The loaders of all points of these organizations and of none, whosever they are: for operators."""
        names = self.series.layout.list_databases(organization_ids)
        store = self.series.store
        if isinstance(store, WritableSeriesStore):
            return [Readings(store.combine(names), self.series.limits.points)]
        return [self._get_readings_at(SeriesLocation(name)) for name in names]

    def _get_readings_at(self, location: SeriesLocation) -> Readings:
        if location not in self._readings:
            series = self.series.store.database(location.database)
            if location.tag is not None:
                series = TaggedSeriesDatabase(series, location.tag)
            self._readings[location] = Readings(series, self.series.limits.points)
        return self._readings[location]

    def _open_readings(self, organization_id: str | None) -> Readings:
        if organization_id is not None:
            _check_organization_id(organization_id)
        if not self.grant.covers(organization_id):
            return self._get_readings_at(SeriesLocation(NO_DATABASE))
        layout = self.series.layout
        location = layout.find_location(organization_id)
        if organization_id is None or not location.is_shared:
            return self._get_readings_at(location)
        find = partial(find_conflicts, self.owners, self._whole_store, layout, organization_id)
        series = self.series.store.database(location.database)
        return Readings(series, self.series.limits.points, find)

    def _make_tenant(self, database: str, organization_id: str | None) -> Tenant:
        name = f"{database}/{organization_id}"
        tenant = self._tenants.get(name)
        if tenant is None:
            covered = self.grant.covers(organization_id)
            documents = (
                self._add_journal(self._store.database(database)) if covered else self._granted_store.hidden
            )
            tenant = self._tenants[name] = Tenant(organization_id, documents, Loaders(documents))
        return tenant


def _check_organization_id(organization_id: str) -> None:
    if not is_organization_id(organization_id):
        raise BadUserInput(
            "Invalid organization id: 1 to 63 letters, digits, _ or -.", fields=["organizationId"]
        )


class OperationJournal(Journal):
    """The changes of one operation. `is_used` is whether it has written to a store of documents."""

    is_used: bool = False

    @abstractmethod
    async def add_action(self, entity: Any, arguments: Document) -> None:
        """Record an operation that has changed something other than documents, such as a file.

        `arguments` tell what it was. It is done, so that this does not fail if the log cannot be written.
        """


class Audit(ABC):
    """The audit log."""

    @abstractmethod
    def start_journal(self, subject: str, operation: str, request_id: str | None) -> OperationJournal:
        """The journal of one operation, which is the name of a mutation."""

    @abstractmethod
    def record_refusal(
        self,
        grant: Grant | None,
        operation: str,
        code: str,
        *,
        organization_id: str | None = None,
        request_id: str | None = None,
    ) -> None:
        """Note a refusal in the background, which makes no store call of its request.

        `grant` is None if the credential was not valid. The refusal is in the log of the organization that
        the request names, or of the only one of the grant, or else in that of operators.
        """

    @abstractmethod
    async def flush(self) -> None:
        """Write the refusals that are not written yet."""


@dataclass(slots=True)
class Context:
    """What every resolver receives: the viewer, the icons, the cipher of secrets, and the request's id."""

    viewer: Viewer
    icons: Icons
    cipher: SecretCipher
    request_id: str = ""
    now: int = field(
        default_factory=time.time_ns
    )  # nanoseconds since 1970, one for the whole request, so that windows are shared
    limits: LimitPolicy = field(default_factory=LimitPolicy)
    turn: Turn = FREE_TURN
    meter: Meter = field(default_factory=Meter)
    budget: RequestBudget | None = None  # of the credential
    points: int = 0  # of series in the answer so far
    idempotency: IdempotencyKey | None = None  # the idempotency key of a creation
    trace: dict[str, Any] | None = None  # what the request cost, if the client asks for it
    hints: Hints = field(default_factory=Hints)
    audit: Audit | None = None  # None leaves no trace of changes

    async def settle(self) -> None:
        """Give back to the budgets what the request has not used: it is over."""
        self.turn.close()
        if self.budget is not None:
            await self.budget.release(self.meter.actual)

    def start_journal(self, operation: str) -> OperationJournal | None:
        """From now on, whatever is written is recorded as changed by this operation."""
        if self.audit is None:
            return None
        journal = self.audit.start_journal(self.viewer.grant.subject, operation, self.request_id)
        self.viewer.record_changes(journal)
        return journal

    def record_refusal(self, operation: str, code: str, organization_id: str | None) -> None:
        """Record that the viewer may not do this. `organization_id` is what the request names."""
        if self.audit is not None:
            self.audit.record_refusal(
                self.viewer.grant,
                operation,
                code,
                organization_id=organization_id,
                request_id=self.request_id,
            )
