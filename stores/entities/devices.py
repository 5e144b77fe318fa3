"""Devices: those of an application, and legacy ones, which belong to no organization."""

from typing import ClassVar

from stores.contracts.records import (
    Stored,
    optional,
    read_object,
    read_objects,
    read_or_empty,
    read_string,
    read_strings,
)
from stores.entities.entity import APPLICATION, SHARED, Entity

MACHINE_ID_KEYS = ("machineId", "machine_id")  # the two spellings of one key
_INDEXES = (
    *MACHINE_ID_KEYS,
    "name",
    "connectors",
    "events.class",
    "properties.*",
    "createdAt",
    "updatedAt",
)


class Device(Entity):
    """A machine of an application."""

    __slots__ = ()

    scope = APPLICATION
    collection = "{application_id}_devices"
    node_kind = "Device"
    document_kind: ClassVar[str | None] = "devices"
    unique: ClassVar[tuple[tuple[str, ...], ...]] = (MACHINE_ID_KEYS,)
    indexes = _INDEXES
    secrets = ()

    machine_id = Stored(read_string, *MACHINE_ID_KEYS, "name", default="Unknown")
    name = optional(read_string, "name")
    connector_names = read_or_empty(read_strings, "connectors")
    properties = read_or_empty(read_object, "properties")
    events = read_or_empty(read_objects, "events")
    stored_organization_id = optional(read_string, "organizationId")
    stored_application_id = optional(read_string, "applicationId")


class LegacyDevice(Device):
    """A machine of the default database."""

    __slots__ = ()

    scope = SHARED
    collection = "devices"
    node_kind = "Device"
    document_kind = None
    unique = (("machineId",),)
    indexes = _INDEXES
    secrets = ()
