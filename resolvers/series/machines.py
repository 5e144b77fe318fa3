"""Machines as the time series know them, and where their series are."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

from loaders.readings import Readings
from resolvers.context import Context
from resolvers.machine_owners import MACHINE_CONFLICT, pick_only
from resolvers.scopes import require_organization
from stores.contracts.documents import Query
from stores.contracts.errors import Conflict
from stores.contracts.records import Records
from stores.entities.devices import MACHINE_ID_KEYS, Device

MACHINE_IDS = Query(keys=frozenset({*MACHINE_ID_KEYS, "name"}))


class HasMachineId(Protocol):
    """Something that reports: a device, or a machine that no application has registered."""

    @property
    def machine_id(self) -> str: ...

    @property
    def organization_id(self) -> str | None: ...

    @property
    def application_id(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class UnregisteredMachine:
    """A machine of an organization, or whose points belong to no organization, registered or not."""

    machine_id: str
    organization_id: str | None = None
    application_id: str | None = None  # it has none


async def find_machine(context: Context, machine_id: str, organization_id: str | None) -> UnregisteredMachine:
    """A machine for an operator. Without an organization, it is that of the only one that has registered it.

    If none or several have, its points are those that belong to no organization. Raises `NotFound`, and
    `Conflict` if several organizations share a database in which they have this machine id.
    """
    viewer = context.viewer
    if organization_id is not None:
        await require_organization(context, organization_id)
        return UnregisteredMachine(machine_id, organization_id)
    [ids] = await viewer.list_owners([machine_id])
    layout = viewer.series.layout
    if any(layout.shares(id_, other) for id_, other in combinations(ids, 2)):
        raise Conflict(MACHINE_CONFLICT.format(machine_id))
    return UnregisteredMachine(machine_id, pick_only(ids))


def get_readings(context: Context, machine: HasMachineId) -> Readings:
    """Return the loaders of the series of a machine's organization, or of points that belong to none."""
    viewer = context.viewer
    if machine.organization_id is None:
        return viewer.readings(None)
    return viewer.readings(machine.organization_id)


def machine_ids(machines: Sequence[HasMachineId]) -> Sequence[str]:
    """Return the machine id of each machine; those of devices are read all at once."""
    if isinstance(machines, Records):
        return Device.machine_id.of(machines)
    devices = [machine for machine in machines if isinstance(machine, Device)]
    if len(devices) == len(machines):
        return Device.machine_id.of(devices)
    return [machine.machine_id for machine in machines]


def organization_ids(machines: Sequence[HasMachineId]) -> list[str | None]:
    """Return the id of each machine's organization."""
    if isinstance(machines, Records):
        return [machines.scope[0]] * len(machines)
    return [machine.organization_id for machine in machines]


async def list_machine_ids(
    context: Context, organization_id: str, application_ids: Sequence[str]
) -> list[str]:
    """Return the machine ids of the devices of some applications, without repetitions."""
    devices = await list_devices_of(context, organization_id, application_ids)
    return list(dict.fromkeys(Device.machine_id.of(devices)))


async def list_devices_of(
    context: Context, organization_id: str, application_ids: Sequence[str]
) -> list[Device]:
    """Return the devices of some applications, of which only the machine ids are read.

    All applications and organizations that a request asks for together are one call.
    """
    database = context.viewer.tenant(organization_id).documents.database
    collections = [(database, Device.collection_of(application_id)) for application_id in application_ids]
    pages = await context.viewer.across.documents(MACHINE_IDS).load_many(collections)
    devices: list[Device] = []
    for application_id, page in zip(application_ids, pages, strict=True):
        if isinstance(page, Exception):
            raise page
        devices += [Device(document, organization_id, application_id) for document in page]
    return devices
