"""The executable schema: every entity's queries and mutations."""

from typing import Annotated, Any

import strawberry
from strawberry.tools import merge_types

from sync_gateway.resolvers import nodes
from sync_gateway.schema.analytics import AnalyticsQueries
from sync_gateway.schema.applications import ApplicationMutations, ApplicationQueries
from sync_gateway.schema.connectors import Connector, ConnectorMutations
from sync_gateway.schema.devices import DeviceMutations, DeviceQueries
from sync_gateway.schema.documents import DocumentQueries
from sync_gateway.schema.event_classes import EventClass, EventClassMutations
from sync_gateway.schema.fields import Info, argument, derived
from sync_gateway.schema.functions import Function, FunctionMutations
from sync_gateway.schema.gateways import Gateway, GatewayMutations
from sync_gateway.schema.icons import IconMutations, IconQueries
from sync_gateway.schema.machines import MachineQueries
from sync_gateway.schema.node import Node
from sync_gateway.schema.organizations import OrganizationMutations, OrganizationQueries
from sync_gateway.schema.scalars import CONFIG
from sync_gateway.schema.services import ServiceMutations, ServiceQueries
from sync_gateway.schema.users import User, UserMutations
from sync_gateway.schema.viewer import ViewerQueries


@strawberry.type
class NodeQueries:
    @derived("Anything by its global id; null where there is nothing of that id.", Node | None)
    async def node(self, info: Info, id: Annotated[strawberry.ID, argument("The global id.")]) -> Any:
        return await nodes.get_node(info.context, id)


QUERIES = (
    NodeQueries,
    OrganizationQueries,
    ApplicationQueries,
    DeviceQueries,
    AnalyticsQueries,
    MachineQueries,
    ServiceQueries,
    IconQueries,
    DocumentQueries,
    ViewerQueries,
)
MUTATIONS = (
    OrganizationMutations,
    UserMutations,
    GatewayMutations,
    ApplicationMutations,
    DeviceMutations,
    ConnectorMutations,
    EventClassMutations,
    FunctionMutations,
    ServiceMutations,
    IconMutations,
)

schema = strawberry.Schema(
    query=merge_types("Query", QUERIES),
    mutation=merge_types("Mutation", MUTATIONS),
    types=[Connector, EventClass, Function, Gateway, User],
    config=CONFIG,
)
