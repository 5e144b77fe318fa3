"""The executable schema: every entity's queries and mutations."""

from typing import Annotated, Any

import strawberry
from graphql import GraphQLInputObjectType

from resolvers import nodes
from schema.engine.fields import Info, argument, derived
from schema.engine.metered_execution import MeteredExecutionContext
from schema.engine.scalars import CONFIG
from schema.types.analytics import AnalyticsQueries
from schema.types.api_keys import ApiKeyMutations, ApiKeyQueries
from schema.types.applications import ApplicationMutations, ApplicationQueries
from schema.types.audit import AuditQueries
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
from schema.types.series_rows import SeriesRowQueries
from schema.types.services import ServiceMutations, ServiceQueries
from schema.types.unassigned_machines import UnassignedMachineMutations, UnassignedMachineQueries
from schema.types.users import User, UserMutations
from schema.types.viewer import ViewerQueries


@strawberry.type
class NodeQueries:
    @derived("The object with a global id, or null if there is none.", Node | None)
    async def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, argument("A global id, which is the `id` of an object.")],
    ) -> Any:
        return await nodes.get_node(info.context, id)


@strawberry.type(
    name="Query",
    description="The queries. They change nothing, and their top-level fields are resolved concurrently.",
)
class QueryRoot(
    NodeQueries,
    OrganizationQueries,
    ApplicationQueries,
    DeviceQueries,
    AnalyticsQueries,
    MachineQueries,
    SeriesRowQueries,
    UnassignedMachineQueries,
    ServiceQueries,
    IconQueries,
    DocumentQueries,
    ViewerQueries,
    ApiKeyQueries,
    AuditQueries,
):
    pass


@strawberry.type(
    name="Mutation",
    description="The mutations. Several mutations of one request are executed one after the other. One "
    "that fails "
    "is null, with its error, and does not affect the others.",
)
class MutationRoot(
    OrganizationMutations,
    UserMutations,
    GatewayMutations,
    ApplicationMutations,
    DeviceMutations,
    ConnectorMutations,
    EventClassMutations,
    FunctionMutations,
    ServiceMutations,
    UnassignedMachineMutations,
    IconMutations,
    ApiKeyMutations,
):
    pass


class GatewaySchema(strawberry.Schema):
    """A schema with what strawberry does not pass on to graphql-core."""

    def __init__(self, description: str, **options: Any) -> None:
        super().__init__(**options)
        self._schema.description = description
        for type_ in self._schema.type_map.values():
            if isinstance(type_, GraphQLInputObjectType):
                # graphql-core validates literals and variables of one-of inputs only if it knows them.
                type_.is_one_of = type_.extensions["strawberry-definition"].is_one_of

    def as_str(self) -> str:
        roots = "schema {\n  query: Query\n  mutation: Mutation\n}"
        return f'"""{self._schema.description}"""\n{roots}\n\n{super().as_str()}'


schema = GatewaySchema(
    "Organizations with their applications, devices, connectors and time series. Errors carry "
    "`extensions.code`, and times are in UTC.",
    query=QueryRoot,
    mutation=MutationRoot,
    types=[Connector, EventClass, Function, Gateway, User],
    config=CONFIG,
    execution_context_class=MeteredExecutionContext,
)
