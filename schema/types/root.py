"""The executable schema: every entity's queries and mutations."""

from typing import Annotated, Any

import strawberry
from strawberry.tools import merge_types

from resolvers import nodes
from schema.engine.fields import Info, argument, derived
from schema.engine.scalars import CONFIG
from schema.types.analytics import AnalyticsQueries
from schema.types.applications import ApplicationMutations, ApplicationQueries
from schema.types.connectors import Connector, ConnectorMutations
from schema.types.devices import DeviceMutations, DeviceQueries
from schema.types.documents import DocumentQueries
from schema.types.event_classes import EventClass, EventClassMutations
from schema.types.functions import Function, FunctionMutations
from schema.types.gateways import Gateway, GatewayMutations
from schema.types.icons import IconMutations, IconQueries
from schema.types.machines import MachineQueries
from schema.types.node import Node
from schema.types.organizations import OrganizationMutations, OrganizationQueries
from schema.types.services import ServiceMutations, ServiceQueries
from schema.types.users import User, UserMutations
from schema.types.viewer import ViewerQueries


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
