"""Which organizations have registered a machine id, for points and questions that name no organization."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping

from stores.contracts.document_store import DocumentStore
from stores.contracts.documents import AnyOf, Document, OneOf, Query
from stores.contracts.errors import Conflict, Unavailable
from stores.contracts.values import list_forms
from stores.entities.devices import MACHINE_ID_KEYS, Device
from stores.entities.organizations import (
    APPLICATIONS_KEY,
    ORGANIZATION_KEY,
    Organization,
    is_organization_id,
)
from stores.entities.series_layout import SeriesLayout

Owners = Mapping[str, frozenset[str]]  # by machine id, the organizations of its devices
Cache = dict[str, tuple[float, frozenset[str]]]  # with the time when an entry expires
TTL_S = 5.0
MAX_CACHED = 100_000
MAX_CACHED_CHARACTERS = 200  # of an id; a longer one is looked up each time
NAMES = (*MACHINE_ID_KEYS, "name")  # a device without an id reports under its name
MACHINE_CONFLICT = (
    "The machine id {} is not unique among the organizations that share a database of time series."
    " The operator can separate them by series.databases or series.organization_tag"
)
CONFIG = Organization.collection_of()
CONFIG_ENTRIES = Query((OneOf(("key",), (ORGANIZATION_KEY, APPLICATIONS_KEY)),))


class MachineOwners:
    """Finds the organizations of machine ids in all databases of `documents`.

    Results are cached for five seconds, and longer while the store is down. A change by this process is seen
    at once, because `forget` is called after it.
    """

    def __init__(self, documents: DocumentStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._documents, self._clock = documents, clock
        self._cached: Cache = {}
        # Of the machines that are being read, whether the store turns out to be down.
        self._reading: dict[frozenset[str], asyncio.Future[bool]] = {}

    def get_cache_size(self) -> int:
        """The number of cached entries."""
        return len(self._cached)

    async def find(self, machine_ids: Collection[str], documents: DocumentStore | None = None) -> Owners:
        """The organizations that have registered each machine id. Raises `Unavailable`.

        What is not cached is read from `documents`, which may count the calls of a request.
        """
        cached, expired = self._cached, self._list_expired(self._cached, machine_ids)
        if expired:
            cached = await self._refresh(machine_ids, documents or self._documents)
        owners_by_id = {id_: cached[id_][1] for id_ in machine_ids}
        if len(cached) > MAX_CACHED or any(len(id_) > MAX_CACHED_CHARACTERS for id_ in expired):
            self.forget()
        return owners_by_id

    def _list_expired(self, cached: Cache, machine_ids: Collection[str]) -> list[str]:
        now = self._clock()
        return [id_ for id_ in machine_ids if id_ not in cached or cached[id_][0] <= now]

    async def _refresh(self, machine_ids: Collection[str], documents: DocumentStore) -> Cache:
        """The cache, after what has expired in it was read.

        Requests for the same machines wait for the first one, and find in the cache what it has read. If the
        store does not answer that one, each reads for itself: they must not fail one after another.
        """
        key, is_down = frozenset(machine_ids), False
        while expired := self._list_expired(self._cached, machine_ids):
            running = self._reading.get(key)
            if running is None or is_down:
                cached = self._cached
                await self._read_into(cached, expired, documents, key)
                return cached
            await asyncio.wait([running])
            is_down = running.result()
        return self._cached

    async def _read_into(
        self, cached: Cache, machine_ids: list[str], documents: DocumentStore, key: frozenset[str]
    ) -> None:
        """Read the owners of these. Those that were known stay as they are if the store is down."""
        expires, is_down = self._clock() + TTL_S, False
        end = self._reading[key] = asyncio.get_running_loop().create_future()
        try:
            owners = await self._load(machine_ids, documents)
            cached |= {id_: (expires, owners[id_]) for id_ in machine_ids}
        except Unavailable:
            is_down = True
            if not all(id_ in cached for id_ in machine_ids):
                raise
        finally:
            end.set_result(is_down)
            if self._reading.get(key) is end:
                del self._reading[key]

    async def is_organization(self, organization_id: str) -> bool:
        """Whether there is an organization with this id. Raises `Unavailable`."""
        return organization_id in await self._list_organizations(self._documents)

    async def list_organizations(self) -> list[str]:
        """The ids of all organizations. Raises `Unavailable`."""
        return list(await self._list_organizations(self._documents))

    def forget(self) -> None:
        """Discard what is cached: devices have changed. What is being read now is not cached any more."""
        self._cached = {}

    async def _load(
        self, machine_ids: Collection[str], documents: DocumentStore
    ) -> dict[str, frozenset[str]]:
        organizations = await self._list_organizations(documents)
        collections = [
            (organization.organization_id, Device.collection_of(application_id))
            for organization in organizations.values()
            for application_id in organization.settings
        ]
        forms = tuple(form for machine_id in machine_ids for form in list_forms(machine_id))
        where = (AnyOf(tuple(OneOf((name,), forms) for name in NAMES)),)
        pages = await documents.find_across(collections, Query(where, keys=frozenset(NAMES)))
        owners: dict[str, set[str]] = {machine_id: set() for machine_id in machine_ids}
        for (database, _), page in zip(collections, pages, strict=True):
            for document in _raise_or_return(page):
                owners.get(Device(document).machine_id, set()).add(database)
        return {machine_id: frozenset(ids) for machine_id, ids in owners.items()}

    async def _list_organizations(self, documents: DocumentStore) -> dict[str, Organization]:
        infos = await documents.list_databases()
        names = [info.name for info in infos if is_organization_id(info.name)]
        pages = await documents.find_across([(name, CONFIG) for name in names], CONFIG_ENTRIES)
        organizations = {}
        for name, page in zip(names, pages, strict=True):
            entries = _raise_or_return(page)
            if entries or name != self._documents.default:
                organizations[name] = Organization(name, entries[::-1])
        return organizations


async def list_owners(
    owners: MachineOwners, documents: DocumentStore, machine_ids: list[str]
) -> list[frozenset[str]]:
    """The organizations that have registered each machine id. Raises `Unavailable`."""
    return list((await owners.find(machine_ids, documents)).values())


async def find_conflicts(
    owners: MachineOwners,
    documents: DocumentStore,
    layout: SeriesLayout,
    organization_id: str,
    machine_ids: Collection[str],
) -> dict[str, Exception]:
    """The machines of an organization that another one has too, in the database that they share."""
    alone = frozenset((organization_id,))
    return {
        machine_id: Conflict(MACHINE_CONFLICT.format(machine_id))
        for machine_id, ids in (await owners.find(machine_ids, documents)).items()
        if ids != alone and any(layout.shares(organization_id, id_) for id_ in ids - alone)
    }


def pick_only(organization_ids: Collection[str]) -> str | None:
    """The one organization, or None if there are none or several."""
    return next(iter(organization_ids)) if len(organization_ids) == 1 else None


def _raise_or_return(page: list[Document] | Exception) -> list[Document]:
    if isinstance(page, Exception):
        raise page
    return page
