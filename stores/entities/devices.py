"""Devices as they are kept: in `{applicationId}_devices`, and legacy ones in the default database."""

from stores.contracts.records import (
    Record,
    Stored,
    empty_if_missing,
    mapping,
    mappings,
    optional,
    text,
    texts,
)

MACHINE_ID_KEYS = ("machineId", "machine_id")  # either spelling is the key


class Device(Record):
    __slots__ = ()

    machine_id = Stored(text, *MACHINE_ID_KEYS, "name", default="Unknown")
    name = optional(text, "name")
    connector_names = empty_if_missing(texts, "connectors")
    properties = empty_if_missing(mapping, "properties")
    events = empty_if_missing(mappings, "events")
    stored_organization_id = optional(text, "organizationId")
    stored_application_id = optional(text, "applicationId")
