"""The table of costs: what each field of the graph may read. A schema field without a cost fails the suite.

A field that needs nothing but its object costs nothing and has no row, unless it is a list of objects.
Every other field has a row: an upper bound on what its resolver reads
(`schema/engine/costs/declarations.py` has the terms). Lists without a size argument have a declared
maximum. It only bounds the estimate: a plant with longer lists works, until a request really reads more
than the limits allow.
"""

# Long because it is one table.

from dataclasses import replace
from functools import cache

from graphql import (
    GraphQLField,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
)

from resolvers.series.analytics import MAX_HOST_SAMPLES
from schema.engine.costs.declarations import (
    APPLICATION,
    FREE,
    LEVEL,
    MACHINE,
    OBJECT,
    ORGANIZATION,
    PAGE,
    TENANT,
    Amount,
    Arguments,
    Basis,
    FieldCost,
    Reads,
    SharedReads,
    Terms,
)
from schema.engine.plans.columns import find_object_reader
from schema.types.cost_amounts import (
    API_KEYS,
    APPLICATIONS,
    AUDIT_CHANGES,
    AUDIT_ENTRIES,
    BINDINGS_OF_DEVICE,
    CONFIG_ENTRIES,
    CONNECTORS,
    CONNECTORS_OF_DEVICE,
    DEVICES_OF_APPLICATION,
    DEVICES_OF_EVENT_CLASS,
    DEVICES_OF_ORGANIZATION,
    EVENT_CLASSES,
    EVENTS_OF_MACHINE,
    FIELDS,
    FUNCTIONS,
    GATEWAYS,
    GROUPS,
    ICONS,
    MEASUREMENTS,
    PROPERTIES,
    SERVICES,
    STATE_INTERVALS,
    STATES,
    TAGS,
    USERS,
    count_applications_in_page,
    count_calls_for_id,
    count_calls_for_one_series,
    count_calls_for_series,
    count_counter_points,
    count_databases_of_viewer,
    count_device_list_calls,
    count_devices_for_operator,
    count_devices_of_page,
    count_devices_of_viewer,
    count_distinct,
    count_listed_devices,
    count_listed_statuses,
    count_measurements_of_performance,
    count_organization_documents,
    count_owner_documents,
    count_page_calls,
    count_page_documents,
    count_page_nodes,
    count_series,
    count_series_documents,
    count_series_objects,
    count_series_points,
    count_totals,
    count_windows,
    multiply,
    needs_application,
)
from schema.types.root import schema
from stores.entities.shift_plans import MAX_BREAKS, MAX_SHIFTS

# Reads that loaders share
CONFIGURATION = Reads(calls={ORGANIZATION: 1}, documents={ORGANIZATION: 2})
ROOT_CONFIGURATION = Reads(calls={OBJECT: 2}, documents={})  # what there is, and whether it exists at all
HINTS = Reads(calls={TENANT: 1}, documents={})  # of what machines have written, if something is absent
CLASSES = Reads(calls={TENANT: 2}, documents={})  # whether machines have written them, and what they have
MACHINE_IDS = Reads(calls={LEVEL: 1}, documents={MACHINE: 1})
ALL_ORGANIZATIONS = Reads(
    calls={PAGE: 2}, documents={PAGE: lambda _, scope: 2 * scope.organizations}
)  # of the viewer, by name and by content

# What is below a field that leads to an organization, to an application, or to one of each
OF_ORGANIZATION: dict[Basis, Terms] = {
    APPLICATION: {ORGANIZATION: 1},
    MACHINE: {ORGANIZATION: DEVICES_OF_ORGANIZATION},
}
OF_APPLICATION: dict[Basis, Terms] = {MACHINE: {APPLICATION: DEVICES_OF_APPLICATION}}
OF_MACHINES: dict[Basis, Terms] = {
    TENANT: {OBJECT: count_distinct("machines", "organizationId")},
    ORGANIZATION: {OBJECT: count_distinct("machines", "organizationId")},
    APPLICATION: {OBJECT: count_distinct("machines", "organizationId", "applicationId")},
}
EACH_ITS_OWN: dict[Basis, Terms] = {basis: {OBJECT: 1} for basis in (ORGANIZATION, APPLICATION, MACHINE)}


def _list(maximum: int, of: Basis, *, size: int | None = None, calls: Terms | None = None) -> FieldCost:
    """A list that is read as a whole for each organization or application: at most `maximum` documents."""
    groups: dict[Basis, Terms] = {LEVEL: {of: 1}, TENANT: {of: 1}}
    return FieldCost(
        calls=calls or {of: 1},
        documents={of: maximum},
        size=maximum if size is None else size,
        below=groups if calls is None else {},
    )


def _page(documents_of: Basis, calls: Amount, below: dict[Basis, Terms]) -> FieldCost:
    """A page of a list of each organization, application or object, as `documents_of` says."""
    groups: dict[Basis, Terms] = {LEVEL: {documents_of: 1}, TENANT: {documents_of: 1}}
    return FieldCost(
        calls={documents_of: calls},
        documents={documents_of: count_page_documents},
        size=count_page_nodes,
        below={**groups, PAGE: {OBJECT: 1}, **below},
        holds_pages=True,
    )


def _device_page(maximum: int, of: Basis, calls: Amount, below: dict[Basis, Terms]) -> FieldCost:
    """A page of devices; all of them, at most `maximum`, are read if their status selects or orders them."""
    page = _page(of, count_device_list_calls(calls), below)
    documents, points = count_listed_devices(maximum), count_listed_statuses(maximum)
    return replace(page, documents={of: documents}, points={of: points})


def _read_time_zone(arguments: Arguments) -> Reads | None:
    """The application of a machine, if the range or its windows depend on its time zone or its shifts."""
    return CONFIGURATION if needs_application(arguments) else None


def _read_classes(arguments: Arguments) -> Reads | None:
    """Whether there were ever events of the classes, and what there is instead."""
    return CLASSES if arguments.get("classes") else None


def _alarms(machines: Basis, *shared: SharedReads) -> dict[str, FieldCost]:
    """Alarms and their summary. The changes that they are found in are limited while the request runs.

    A third call finds the ends of alarms that are reported again after a range in the past.
    """
    reads = FieldCost(
        calls={TENANT: 3},
        points={machines: 2 * EVENTS_OF_MACHINE},
        shared=(_read_time_zone, _read_classes, *shared),
    )
    applications: dict[Basis, Terms] = {APPLICATION: {ORGANIZATION: APPLICATIONS}}
    page: dict[Basis, Terms] = {PAGE: {OBJECT: 1}, **applications}
    return {
        "alarms": replace(reads, size=count_page_nodes, below=page, holds_pages=True),
        "alarmSummary": replace(reads, size=count_totals, below=applications),
    }


def _event_page(events_of: Basis, *shared: SharedReads) -> FieldCost:
    """A page of events of each object or, for those of all machines, of each organization."""
    return FieldCost(
        calls={TENANT: 1},
        points={events_of: count_page_documents},
        size=count_page_nodes,
        below={PAGE: {OBJECT: 1}},
        shared=shared,
        holds_pages=True,
    )


DOCUMENTS_OF_KIND = {  # at most, by `documents(of:)`
    "devices": DEVICES_OF_APPLICATION,
    "connectors": CONNECTORS,
    "config": CONFIG_ENTRIES,
    "event_classes": EVENT_CLASSES,
    "functions": FUNCTIONS,
    "gateways": GATEWAYS,
    "templates": CONNECTORS,
}
SERIES_FIELDS: dict[str, FieldCost] = {
    "status": FieldCost(calls={TENANT: 1}, points={OBJECT: 3}),
    "connected": FieldCost(calls={TENANT: 1}),
    "latest": FieldCost(calls={TENANT: 1}, points={OBJECT: 1}, shared=(HINTS,)),
    "catalogue": FieldCost(calls={TENANT: 1}, shared=(_read_time_zone,)),
    "events": _event_page(OBJECT, _read_time_zone, _read_classes),
    # Of a range without samples, also whether the field was ever written; if the store cannot tell, the
    # catalogue.
    "series": FieldCost(
        calls={TENANT: count_calls_for_one_series},
        points={OBJECT: count_series_points},
        below={PAGE: {OBJECT: count_series_objects}},
        shared=(_read_time_zone, HINTS),
    ),
    **_alarms(OBJECT),
    # And, of a range without samples, whether the field was ever written, or the catalogue
    "states": FieldCost(
        calls={TENANT: 4},
        points={OBJECT: 3},
        below={PAGE: {OBJECT: count_windows}},
        shared=(_read_time_zone, HINTS),
    ),
    "counter": FieldCost(
        calls={TENANT: 4},
        points={OBJECT: count_counter_points},
        below={PAGE: {OBJECT: count_windows}},
        shared=(_read_time_zone, HINTS),
    ),
    "performance": FieldCost(
        calls={TENANT: lambda arguments, scope: 2 * count_measurements_of_performance(arguments, scope)},
        points={OBJECT: 3},
        below={PAGE: {OBJECT: count_windows}},
        shared=(CONFIGURATION, HINTS),
    ),
}
DEVICE_OF_ALARM = FieldCost(
    calls={APPLICATION: 1},
    documents={OBJECT: 1},
    below={LEVEL: {APPLICATION: 1}, TENANT: {APPLICATION: 1}},
)
BY_DOCUMENT_ID = FieldCost(calls={OBJECT: count_calls_for_id}, documents={OBJECT: count_calls_for_id})
CHANGE = FieldCost(calls={OBJECT: 12}, documents={OBJECT: 12 + CONNECTORS}, below=EACH_ITS_OWN)
# Of a field without a row, as of a new entity; a test fails for it
UNDECLARED = FieldCost(calls={OBJECT: 2}, documents={OBJECT: 100}, size=100)

COSTS: dict[str, FieldCost] = {
    # The roots of queries
    "Query.node": FieldCost(calls={OBJECT: 2}, documents={OBJECT: 2}, below=OF_ORGANIZATION),
    "Query.organizations": FieldCost(
        calls={OBJECT: 3},
        documents={OBJECT: count_organization_documents},
        size=count_page_nodes,
        below={
            PAGE: {OBJECT: 1},
            TENANT: {OBJECT: count_page_nodes},
            ORGANIZATION: {OBJECT: count_page_nodes},
            APPLICATION: {OBJECT: count_page_nodes},
            MACHINE: {OBJECT: count_devices_of_page},
        },
        holds_pages=True,
    ),
    "Query.organization": FieldCost(
        documents={OBJECT: 2}, below=OF_ORGANIZATION, shared=(ROOT_CONFIGURATION,)
    ),
    "Query.application": FieldCost(documents={OBJECT: 2}, below=OF_APPLICATION, shared=(ROOT_CONFIGURATION,)),
    "Query.device": FieldCost(calls={OBJECT: 1}, documents={OBJECT: 1}),
    "Query.legacyDevices": _device_page(
        DEVICES_OF_APPLICATION, OBJECT, 1, {basis: {OBJECT: count_page_nodes} for basis in EACH_ITS_OWN}
    ),
    "Query.legacyDevice": FieldCost(calls={OBJECT: 1}, documents={OBJECT: 1}),
    "Query.analytics": FieldCost(
        below={
            TENANT: {OBJECT: count_databases_of_viewer},
            ORGANIZATION: {OBJECT: lambda _, scope: scope.organizations},
            MACHINE: {OBJECT: count_devices_of_viewer},
        }
    ),
    "Query.machine": FieldCost(calls={OBJECT: 3}, documents={OBJECT: count_owner_documents}),
    "Query.unassignedMachines": FieldCost(
        calls={OBJECT: 4}, documents={OBJECT: count_owner_documents}, size=count_page_nodes
    ),
    "Query.series": FieldCost(
        calls={OBJECT: count_calls_for_series},
        documents={OBJECT: count_series_documents},
        points={OBJECT: multiply(count_series, count_series_points)},
        size=count_series,
        below={PAGE: {OBJECT: multiply(count_series, count_series_objects)}, **OF_MACHINES},
    ),
    "Query.seriesRows": FieldCost(
        calls={OBJECT: count_calls_for_series},
        documents={OBJECT: count_series_documents},
        points={OBJECT: multiply(count_series, count_series_points)},
        size=multiply(count_series, count_series_objects),
        below=OF_MACHINES,
    ),
    "Query.services": FieldCost(calls={OBJECT: 1}, documents={OBJECT: SERVICES}, size=SERVICES),
    "Query.service": BY_DOCUMENT_ID,
    "Query.icons": FieldCost(size=ICONS),  # files, which no store is called for
    "Query.icon": FREE,
    "Query.documents": FieldCost(
        calls={OBJECT: 1},
        documents={
            OBJECT: lambda arguments, _: DOCUMENTS_OF_KIND.get(arguments["of"].value, DEVICES_OF_APPLICATION)
        },
    ),
    # Changes and refusals are stored apart, and both are read.
    "Query.auditLog": FieldCost(
        calls={OBJECT: 4},
        documents={OBJECT: lambda arguments, scope: 2 + 2 * count_page_documents(arguments, scope)},
        size=count_page_nodes,
        below={PAGE: {OBJECT: 1}},
        holds_pages=True,
    ),
    "Query.viewer": FREE,
    "Query.apiKeys": FieldCost(calls={OBJECT: 1}, documents={OBJECT: API_KEYS}, size=API_KEYS),
    # Organizations
    "Organization.sizeOnDisk": FieldCost(calls={LEVEL: 1}),
    "Organization.deviceCount": FieldCost(calls={LEVEL: 1}),
    "Organization.userCount": FieldCost(calls={LEVEL: 1}),
    "Organization.applications": FieldCost(
        size=APPLICATIONS, below={APPLICATION: {ORGANIZATION: APPLICATIONS}}
    ),
    "Organization.application": FieldCost(below=OF_APPLICATION),
    "Organization.defaultApplication": FieldCost(below=OF_APPLICATION),
    "Organization.devices": _device_page(
        DEVICES_OF_ORGANIZATION,
        OBJECT,
        count_page_calls,
        {APPLICATION: {ORGANIZATION: count_applications_in_page}},
    ),
    **{f"Organization.{name}": cost for name, cost in _alarms(MACHINE, MACHINE_IDS).items()},
    "Organization.unregisteredMachines": FieldCost(
        calls={OBJECT: 1},
        size=count_page_nodes,
        below={LEVEL: {OBJECT: 1}, TENANT: {OBJECT: 1}, PAGE: {OBJECT: 1}},
        shared=(MACHINE_IDS,),
        holds_pages=True,
    ),
    "Organization.analytics": FieldCost(below={PAGE: {}}),
    "Organization.users": _list(USERS, ORGANIZATION),
    "Organization.gateways": _list(GATEWAYS, ORGANIZATION),
    "Organization.connectors": _list(CONNECTORS, ORGANIZATION),
    "Organization.connector": FieldCost(
        calls={OBJECT: count_calls_for_id}, documents={OBJECT: count_calls_for_id}
    ),
    "Organization.config": FieldCost(size=CONFIG_ENTRIES),
    # Applications
    "Application.organization": FieldCost(below=OF_ORGANIZATION),
    "Application.deviceCount": FieldCost(calls={LEVEL: 1}),
    "Application.statusCounts": FieldCost(
        calls={TENANT: 1}, points={MACHINE: 3}, size=STATES, shared=(MACHINE_IDS,)
    ),
    "Application.connectedDeviceCount": FieldCost(calls={TENANT: 1}, shared=(MACHINE_IDS,)),
    "Application.lastActivity": FieldCost(calls={TENANT: 2}, points={MACHINE: 4}, shared=(MACHINE_IDS,)),
    "Application.events": _event_page(OBJECT, MACHINE_IDS, _read_time_zone, _read_classes),
    **{f"Application.{name}": cost for name, cost in _alarms(MACHINE, MACHINE_IDS).items()},
    "Application.catalogue": FieldCost(calls={TENANT: 1}, shared=(MACHINE_IDS,)),
    "Application.devices": _device_page(DEVICES_OF_APPLICATION, APPLICATION, 1, {}),
    "Application.device": FieldCost(calls={APPLICATION: 1}, documents={APPLICATION: 1}),
    "Application.connectors": _list(CONNECTORS, APPLICATION),
    "Application.connector": FieldCost(
        calls={OBJECT: count_calls_for_id}, documents={OBJECT: count_calls_for_id}
    ),
    "Application.eventClasses": _list(EVENT_CLASSES, APPLICATION, calls={TENANT: 1}),
    "Application.functions": _list(FUNCTIONS, APPLICATION, calls={TENANT: 1}),
    "Application.properties": FieldCost(
        calls={APPLICATION: 1}, documents={APPLICATION: DEVICES_OF_APPLICATION}, size=PROPERTIES
    ),
    "Application.config": _list(CONFIG_ENTRIES, APPLICATION),
    # Devices
    **{f"{type_}.{name}": cost for type_ in ("Device", "Machine") for name, cost in SERIES_FIELDS.items()},
    "Device.application": FieldCost(shared=(CONFIGURATION,), below=OF_APPLICATION),
    "Device.organization": FieldCost(shared=(CONFIGURATION,), below=OF_ORGANIZATION),
    "Device.connectors": FieldCost(
        calls={APPLICATION: 1, ORGANIZATION: 1},
        documents={APPLICATION: CONNECTORS, ORGANIZATION: CONNECTORS},
        size=CONNECTORS_OF_DEVICE,
    ),
    "Device.eventBindings": FieldCost(size=BINDINGS_OF_DEVICE),
    "Device.property": FREE,
    "EventBinding.eventClass": FieldCost(calls={TENANT: 1}, documents={APPLICATION: EVENT_CLASSES}),
    # Connectors, event classes and other things that belong to an application or an organization
    "Connector.properties": FREE,
    "Connector.document": FREE,
    "Connector.application": FieldCost(shared=(CONFIGURATION,), below=OF_APPLICATION),
    "Connector.organization": FieldCost(shared=(CONFIGURATION,), below=OF_ORGANIZATION),
    "Connector.devices": FieldCost(
        calls={OBJECT: count_page_calls},
        documents={OBJECT: count_page_documents},
        size=count_page_nodes,
        below={
            LEVEL: {OBJECT: 1},
            TENANT: {OBJECT: 1},
            PAGE: {OBJECT: 1},
            APPLICATION: {ORGANIZATION: APPLICATIONS},
        },
        shared=(CONFIGURATION,),
        holds_pages=True,
    ),
    "EventClass.application": FieldCost(shared=(CONFIGURATION,), below=OF_APPLICATION),
    "EventClass.devices": _list(DEVICES_OF_APPLICATION, APPLICATION, size=DEVICES_OF_EVENT_CLASS),
    "Function.application": FieldCost(shared=(CONFIGURATION,), below=OF_APPLICATION),
    "User.organization": FieldCost(shared=(CONFIGURATION,), below=OF_ORGANIZATION),
    "Gateway.organization": FieldCost(shared=(CONFIGURATION,), below=OF_ORGANIZATION),
    "Service.configuration": FREE,
    "Service.document": FREE,
    "Icon.content": FREE,
    "ApiKey.organizationIds": FREE,
    "Viewer.organizations": FieldCost(calls={OBJECT: 1}),
    "Viewer.limits": FREE,
    # Lists of objects that are in memory already
    "OrganizationConnection.nodes": FREE,
    "OrganizationConnection.edges": FREE,
    "OrganizationConnection.pageInfo": FieldCost(below={OBJECT: {PAGE: 1}}),
    "OrganizationConnection.totalCount": FREE,
    "AlarmConnection.nodes": FREE,
    "AlarmConnection.edges": FREE,
    "AlarmConnection.pageInfo": FieldCost(below={OBJECT: {PAGE: 1}}),
    "AlarmConnection.totalCount": FREE,
    "Alarm.device": DEVICE_OF_ALARM,
    "AlarmSummary.device": DEVICE_OF_ALARM,
    "DeviceConnection.nodes": FREE,
    "DeviceConnection.edges": FREE,
    "DeviceConnection.pageInfo": FieldCost(below={OBJECT: {PAGE: 1}}),
    "DeviceConnection.totalCount": FieldCost(calls={PAGE: 1}),
    "MachineConnection.nodes": FREE,
    "MachineConnection.edges": FREE,
    "MachineConnection.pageInfo": FieldCost(below={OBJECT: {PAGE: 1}}),
    "MachineConnection.totalCount": FREE,
    "MachineEventConnection.nodes": FREE,
    "MachineEventConnection.edges": FREE,
    "MachineEventConnection.pageInfo": FieldCost(below={OBJECT: {PAGE: 1}}),
    "MachineEventConnection.totalCount": FieldCost(calls={TENANT: 1}),
    "AuditEntryConnection.nodes": FREE,
    "AuditEntryConnection.edges": FREE,
    "AuditEntryConnection.pageInfo": FieldCost(below={OBJECT: {PAGE: 1}}),
    "AuditEntryConnection.totalCount": FieldCost(calls={PAGE: 2}, documents={PAGE: 2 * AUDIT_ENTRIES}),
    "AuditEntry.changes": FieldCost(size=AUDIT_CHANGES),
    "MachineSeries.series": FREE,
    "Catalogue.measurements": FieldCost(size=MEASUREMENTS),
    "Catalogue.eventClasses": FieldCost(size=EVENT_CLASSES),
    "CatalogueMeasurement.fields": FieldCost(size=FIELDS),
    "CatalogueMeasurement.tags": FieldCost(size=TAGS),
    "Series.points": FieldCost(below={OBJECT: {PAGE: 1}}),
    "Series.tags": FieldCost(size=TAGS),
    "SeriesRow.tags": FieldCost(size=TAGS),
    "Series.groups": FieldCost(size=GROUPS, below={PAGE: {PAGE: GROUPS}}),
    "Counter.windows": FieldCost(below={OBJECT: {PAGE: 1}}),
    "Performance.windows": FieldCost(below={OBJECT: {PAGE: 1}}),
    "StateTimeline.power": FieldCost(size=STATE_INTERVALS),
    "StateTimeline.execution": FieldCost(size=STATE_INTERVALS),
    "StateTimeline.mode": FieldCost(size=STATE_INTERVALS),
    "StateTimeline.durations": FieldCost(size=STATES),
    "StateTimeline.windows": FieldCost(below={OBJECT: {PAGE: 1}}),
    "StateWindow.states": FieldCost(size=STATES),
    "StateTimeline.tags": FieldCost(size=TAGS),
    "StateTimeline.groups": FieldCost(size=GROUPS, below={PAGE: {PAGE: GROUPS}}),
    "Counter.tags": FieldCost(size=TAGS),
    "Counter.groups": FieldCost(size=GROUPS, below={PAGE: {PAGE: GROUPS}}),
    "ShiftPlan.shifts": FieldCost(size=MAX_SHIFTS),
    "Shift.breaks": FieldCost(size=MAX_BREAKS),
    "EventClassesPayload.eventClasses": FieldCost(size=EVENT_CLASSES),
    # Figures of an organization, or of all that the viewer may see
    "Analytics.registeredDevices": FieldCost(calls={LEVEL: 1}, shared=(ALL_ORGANIZATIONS,)),
    "Analytics.registeredApplications": FieldCost(shared=(ALL_ORGANIZATIONS,)),
    "Analytics.connectedDevices": FieldCost(
        calls={TENANT: 1},
        documents={PAGE: count_devices_for_operator},
        shared=(ALL_ORGANIZATIONS, MACHINE_IDS),
    ),
    "Analytics.eventsProcessed": FieldCost(calls={TENANT: 1}, shared=(ALL_ORGANIZATIONS, MACHINE_IDS)),
    "Analytics.storageGigabytes": FieldCost(calls={TENANT: 1}, shared=(ALL_ORGANIZATIONS, MACHINE_IDS)),
    "Analytics.events": _event_page(TENANT, ALL_ORGANIZATIONS, MACHINE_IDS),
    "Analytics.cpu": FieldCost(calls={OBJECT: 1}, points={OBJECT: MAX_HOST_SAMPLES}, size=MAX_HOST_SAMPLES),
    "Analytics.memory": FieldCost(
        calls={OBJECT: 1}, points={OBJECT: MAX_HOST_SAMPLES}, size=MAX_HOST_SAMPLES
    ),
}


def declared_cost(type_name: str, field_name: str, field: GraphQLField) -> FieldCost | None:
    """The cost of a field; None if it needs a row and has none."""
    row = COSTS.get(f"{type_name}.{field_name}")
    if row is not None or type_name == "Mutation":
        return row or CHANGE
    is_list_of_objects = is_list_type(get_nullable_type(field.type)) and not is_leaf_type(
        get_named_type(field.type)
    )
    reads = find_object_reader(field.extensions["strawberry-definition"]) is None
    return None if reads or is_list_of_objects else FREE


@cache
def field_costs() -> dict[str, FieldCost]:
    """The costs of all fields of the schema, by type and field."""
    return {
        f"{type_.name}.{name}": declared_cost(type_.name, name, field) or UNDECLARED
        for type_ in schema._schema.type_map.values()
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__")
        for name, field in type_.fields.items()
    }
