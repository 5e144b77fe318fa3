"""Devices as they are kept: in `{applicationId}_devices`, and legacy ones in the default database."""

from stores.contracts.records import (
    Record,
    Stored,
    empty_if_missing,
    optional,
    read_object,
    read_objects,
    read_string,
    read_strings,
)

MACHINE_ID_KEYS = ("machineId", "machine_id")  # either spelling is the key


class Device(Record):
    __slots__ = ()

    machine_id = Stored(read_string, *MACHINE_ID_KEYS, "name", default="Unknown")
    name = optional(read_string, "name")
    connector_names = empty_if_missing(read_strings, "connectors")
    properties = empty_if_missing(read_object, "properties")
    events = empty_if_missing(read_objects, "events")
    stored_organization_id = optional(read_string, "organizationId")
    stored_application_id = optional(read_string, "applicationId")
