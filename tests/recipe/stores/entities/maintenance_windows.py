"""Maintenance windows: when machines of an application are down on purpose."""

from stores.contracts.records import Stored, optional, read_or_empty, read_string, read_strings, read_time
from stores.entities.entity import APPLICATION, Entity


class MaintenanceWindow(Entity):
    """A span of time in which some machines are down on purpose."""

    __slots__ = ()

    scope = APPLICATION
    collection = "{application_id}_maintenance_windows"
    node_kind = "MaintenanceWindow"
    document_kind = "maintenance_windows"
    unique = (("name",),)
    indexes = ()
    secrets = ()

    name = Stored(read_string, "name", default="")
    machine_ids = read_or_empty(read_strings, "machineIds")
    starts_at = optional(read_time, "startsAt")
    ends_at = optional(read_time, "endsAt")
