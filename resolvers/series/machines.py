"""Machines as the time series know them, and the database that their series are in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from loaders.readings import Readings
from resolvers.context import Context
from stores.entities.devices import Device


class HasMachineId(Protocol):
    """Something that reports: a device, or a machine that no application has registered."""

    @property
    def machine_id(self) -> str: ...

    @property
    def organization_id(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class UnregisteredMachine:
    """A machine in the database of the organizations that have none of their own."""

    machine_id: str
    organization_id: str | None = None


def get_readings(context: Context, machine: HasMachineId) -> Readings:
    """Return the loaders of the series of a machine's organization, or of the shared database."""
    viewer = context.viewer
    if machine.organization_id is None:
        return viewer.shared_tenant().readings
    return viewer.tenant(machine.organization_id).readings


def machine_ids(machines: Sequence[HasMachineId]) -> list[str]:
    """Return the machine id of each machine; those of devices are read all at once."""
    devices = [machine for machine in machines if isinstance(machine, Device)]
    if len(devices) == len(machines):
        return Device.machine_id.of(devices)
    return [machine.machine_id for machine in machines]
