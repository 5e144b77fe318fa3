"""The table of rights: which role a field of the graph, and so the old route that asks for it, requires.

A row names a type, for all of its fields, or one field. Every field of the schema needs a row.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from graphql import (
    FieldNode,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    is_object_type,
    parse,
    separate_operations,
    visit,
)

from resolvers.grants import Grant, Role
from schema.engine.views import restrict_schema
from schema.types.root import schema
from stores.contracts.errors import Forbidden

VIEWER, EDITOR, ADMIN, OPERATOR = Role

REQUIRED_ROLES: dict[str, Role] = {
    # What belongs to organizations
    "Query.node": VIEWER,
    "Query.organizations": VIEWER,
    "Query.organization": VIEWER,
    "Query.application": VIEWER,
    "Query.device": VIEWER,
    "Query.series": VIEWER,
    "Query.seriesRows": VIEWER,
    "Query.analytics": VIEWER,
    "Query.documents": VIEWER,
    "Query.viewer": VIEWER,
    "Query.apiKeys": ADMIN,
    "Query.auditLog": ADMIN,
    # What belongs to no organization
    "Query.icons": VIEWER,
    "Query.icon": VIEWER,
    "Query.legacyDevices": OPERATOR,
    "Query.legacyDevice": OPERATOR,
    "Query.machine": OPERATOR,
    "Query.unassignedMachines": OPERATOR,
    "Query.services": OPERATOR,
    "Query.service": OPERATOR,
    # Changes
    "Mutation.createOrganization": OPERATOR,
    "Mutation.updateOrganization": ADMIN,
    "Mutation.createUser": ADMIN,
    "Mutation.updateUser": ADMIN,
    "Mutation.deleteUser": ADMIN,
    "Mutation.createGateway": ADMIN,
    "Mutation.updateGateway": ADMIN,
    "Mutation.deleteGateway": ADMIN,
    "Mutation.createApplication": ADMIN,
    "Mutation.updateApplication": ADMIN,
    "Mutation.setShiftPlan": ADMIN,
    "Mutation.deleteApplication": ADMIN,
    "Mutation.createDevice": EDITOR,
    "Mutation.updateDevice": EDITOR,
    "Mutation.deleteDevice": EDITOR,
    "Mutation.createConnector": EDITOR,
    "Mutation.updateConnector": EDITOR,
    "Mutation.deleteConnector": EDITOR,
    "Mutation.addEventClass": EDITOR,
    "Mutation.setEventClasses": EDITOR,
    "Mutation.createFunction": EDITOR,
    "Mutation.updateFunction": EDITOR,
    "Mutation.deleteFunction": EDITOR,
    "Mutation.createService": OPERATOR,
    "Mutation.updateService": OPERATOR,
    "Mutation.setServiceEnabled": OPERATOR,
    "Mutation.deleteService": OPERATOR,
    "Mutation.assignMachine": OPERATOR,
    "Mutation.uploadIcon": ADMIN,
    "Mutation.createApiKey": ADMIN,
    "Mutation.revokeApiKey": ADMIN,
    "Mutation.rotateApiKey": ADMIN,
    # Types
    "Analytics": VIEWER,
    "Analytics.cpu": OPERATOR,
    "Analytics.memory": OPERATOR,
    "ApiKey": ADMIN,
    "ApiKeyPayload": ADMIN,
    "Alarm": VIEWER,
    "AlarmConnection": VIEWER,
    "AlarmEdge": VIEWER,
    "AlarmSummary": VIEWER,
    "Application": VIEWER,
    "AssignMachinePayload": OPERATOR,
    "ApplicationPayload": ADMIN,
    "AuditChange": ADMIN,
    "AuditEntry": ADMIN,
    "AuditEntryConnection": ADMIN,
    "AuditEntryEdge": ADMIN,
    "Catalogue": VIEWER,
    "CatalogueEventClass": VIEWER,
    "CatalogueField": VIEWER,
    "CatalogueMeasurement": VIEWER,
    "CatalogueTag": VIEWER,
    "ConfigEntry": VIEWER,
    "Connector": VIEWER,
    "ConnectorPayload": EDITOR,
    "Counter": VIEWER,
    "CounterWindow": VIEWER,
    "Device": VIEWER,
    "DeviceConnection": VIEWER,
    "DeviceEdge": VIEWER,
    "DevicePayload": EDITOR,
    "DeviceProperty": VIEWER,
    "DeviceStatus": VIEWER,
    "EventBinding": VIEWER,
    "EventClass": VIEWER,
    "EventClassPayload": EDITOR,
    "EventClassesPayload": EDITOR,
    "Function": VIEWER,
    "FunctionPayload": EDITOR,
    "Gateway": VIEWER,
    "GatewayPayload": ADMIN,
    "HostSample": OPERATOR,
    "Icon": VIEWER,
    "IconPayload": ADMIN,
    "Machine": VIEWER,
    "MachineConnection": VIEWER,
    "MachineEdge": VIEWER,
    "MachineEvent": VIEWER,
    "MachineEventConnection": VIEWER,
    "MachineEventEdge": VIEWER,
    "MachineSeries": VIEWER,
    "Organization": VIEWER,
    "OrganizationConnection": VIEWER,
    "OrganizationEdge": VIEWER,
    "OrganizationPayload": ADMIN,
    "PageInfo": VIEWER,
    "Performance": VIEWER,
    "PerformanceWindow": VIEWER,
    "Point": VIEWER,
    "Series": VIEWER,
    "SeriesRow": VIEWER,
    "Service": OPERATOR,
    "ServicePayload": OPERATOR,
    "Shift": VIEWER,
    "ShiftBreak": VIEWER,
    "ShiftPlan": VIEWER,
    "StateDuration": VIEWER,
    "StateInterval": VIEWER,
    "StateTimeline": VIEWER,
    "StateWindow": VIEWER,
    "StatusCount": VIEWER,
    "Tag": VIEWER,
    "UnassignedMachine": OPERATOR,
    "User": VIEWER,
    "UserPayload": ADMIN,
    "Viewer": VIEWER,
}


def find_required_role(type_name: str, field_name: str) -> Role:
    """The role that a field requires. A field without a row, as of a new entity, is for operators only."""
    return REQUIRED_ROLES.get(f"{type_name}.{field_name}", REQUIRED_ROLES.get(type_name, OPERATOR))


class _HighestRole(Visitor):
    """Visits an operation and its fragments: `role` is the highest that a field requires."""

    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self._types = types
        self.role = VIEWER

    def enter_field(self, node: FieldNode, *_: object) -> None:
        parent = self._types.get_parent_type()
        if parent is not None and not node.name.value.startswith("__") and is_object_type(parent):
            self.role = max(self.role, find_required_role(parent.name, node.name.value))


@cache
def find_roles_of_operations(document_text: str) -> Mapping[str, Role]:
    """The role that each named operation of a document requires: the highest of its fields."""
    roles: dict[str, Role] = {}
    for name, document in separate_operations(parse(document_text)).items():
        types = TypeInfo(schema._schema)
        highest = _HighestRole(types)
        visit(document, TypeInfoVisitor(types, highest))
        roles[name] = highest.role
    return MappingProxyType(roles)


def view_of(grant: Grant) -> GraphQLSchema:
    """The graph as the subject of a grant sees it. Raises `Forbidden` if the grant permits no reading."""
    if grant.role is None:
        raise Forbidden("This credential may only write points.")
    return _view_of_role(grant.role)


@cache
def _view_of_role(role: Role) -> GraphQLSchema:
    if role is OPERATOR:
        return schema._schema
    return restrict_schema(schema._schema, lambda type_, field: find_required_role(type_, field) <= role)
