"""Organizations in the graph."""

from typing import Annotated, Any

import strawberry

from resolvers import connectors, gateways, organizations, scopes, users
from resolvers.series import device_pages
from resolvers.series.analytics import AnalyticsScope
from resolvers.series.unregistered_machines import list_unregistered_machines
from schema.engine.fields import Info, argument, as_type, attribute, derived, mutation
from schema.engine.inputs import IF_UPDATED_AT, optional, required, select_provided_values
from schema.engine.scalars import DateTime
from schema.types.alarms import AlarmsOfDevices
from schema.types.analytics import Analytics
from schema.types.applications import Application
from schema.types.configuration import ConfigEntry
from schema.types.connectors import Connector
from schema.types.device_lists import FilterArgument, OrderArgument, device_listing
from schema.types.devices import Device
from schema.types.event_arguments import EventRange
from schema.types.gateways import Gateway
from schema.types.machines import Machine
from schema.types.node import Node
from schema.types.paging import Connection
from schema.types.series_arguments import to_optional_range
from schema.types.shared import (
    CREATED_AT,
    IDEMPOTENCY_KEY,
    UPDATED_AT,
    After,
    ApplicationId,
    First,
    OrganizationId,
    get_context_of_creation,
)
from schema.types.users import User
from stores.entities import organizations as stored


@strawberry.type(
    description="A tenant of the gateway, with its applications, users, gateways and connectors."
)
class Organization(AlarmsOfDevices, Node):
    organization_id: str = attribute("The id, which is also the name of its database.")
    name: str = attribute("The name, or the id if no name is stored.")
    description: str | None = attribute("A description of the organization.")
    email: str | None = attribute("The contact e-mail address.")
    website: str | None = attribute("The address of the website.")
    status: str | None = attribute("The status, if one is stored.")
    created_at: DateTime | None = attribute(CREATED_AT)
    updated_at: DateTime | None = attribute(UPDATED_AT)

    @derived("The size of its database in bytes, or null if the store does not report it.")
    async def size_on_disk(root: strawberry.Parent[stored.Organization], info: Info) -> float | None:
        return await organizations.get_size_on_disk(info.context, root)

    @derived("The number of its applications.")
    def application_count(root: strawberry.Parent[stored.Organization]) -> int:
        return len(root.settings)

    @derived("The number of devices in all of its applications.")
    async def device_count(root: strawberry.Parent[stored.Organization], info: Info) -> int:
        return await organizations.count_devices(info.context, root)

    @derived("The number of its users.")
    async def user_count(root: strawberry.Parent[stored.Organization], info: Info) -> int:
        return await organizations.count_users(info.context, root)

    @derived("Its applications, in the order of their creation.", list[Application])
    def applications(root: strawberry.Parent[stored.Organization]) -> Any:
        return root.applications

    @derived("The application with an id, or null if the organization has none.", Application | None)
    async def application(
        root: strawberry.Parent[stored.Organization],
        info: Info,
        application_id: ApplicationId,
    ) -> Any:
        return await scopes.get_application(info.context, root.organization_id, application_id)

    @derived(
        "The application that a client should open first, or null if none is configured.", Application | None
    )
    async def default_application(root: strawberry.Parent[stored.Organization], info: Info) -> Any:
        name = root.default_application_id
        return name and await scopes.get_application(info.context, root.organization_id, name)

    @derived(
        "The devices of all its applications, ordered by application id first, and then as requested: by "
        "default in the order of their creation.",
        Connection[Device] | None,
    )
    async def devices(
        root: strawberry.Parent[stored.Organization],
        info: Info,
        first: First = None,
        after: After = None,
        filter: FilterArgument = None,
        order_by: OrderArgument = None,
    ) -> Any:
        listing = device_listing(info, first, after, filter, order_by)
        return await device_pages.list_organization_devices(info.context, root, listing)

    @derived(
        "The machines that write points of the organization while none of its applications has registered"
        " them, by machine id. Points that belong to no organization are those of `unassignedMachines`.",
        Connection[Machine] | None,
    )
    async def unregistered_machines(
        root: strawberry.Parent[stored.Organization],
        info: Info,
        first: First = None,
        after: After = None,
        range: EventRange = None,
    ) -> Any:
        requested = to_optional_range(range)
        return await list_unregistered_machines(info.context, root, first, after, requested)

    @derived("Figures about the organization for an overview page.", Analytics)
    def analytics(root: strawberry.Parent[stored.Organization]) -> Any:
        return AnalyticsScope(root)

    @derived("Its users, in the order of their creation.", list[User])
    async def users(root: strawberry.Parent[stored.Organization], info: Info) -> Any:
        return await users.list_users(info.context, root.organization_id)

    @derived("Its gateways. The newest comes first.", list[Gateway])
    async def gateways(root: strawberry.Parent[stored.Organization], info: Info) -> Any:
        return await gateways.list_gateways(info.context, root.organization_id)

    @derived(
        "The connectors of the organization itself, which are templates for those of its applications.",
        list[Connector],
    )
    async def connectors(root: strawberry.Parent[stored.Organization], info: Info) -> Any:
        return await connectors.list_connectors(info.context, root.organization_id, None)

    @derived(
        "The connector of the organization itself with a `documentId`, or null if there is none.",
        Connector | None,
    )
    async def connector(
        root: strawberry.Parent[stored.Organization],
        info: Info,
        document_id: Annotated[str, argument("The `documentId` of the connector.")],
    ) -> Any:
        return await connectors.get_connector(info.context, root.organization_id, None, document_id)

    @derived("Its stored settings, as a list of keys and values.", list[ConfigEntry])
    def config(root: strawberry.Parent[stored.Organization]) -> Any:
        return [ConfigEntry(key=key, value=value) for key, value in root.document.items()]


@strawberry.input(description="A new organization.")
class CreateOrganizationInput:
    organization_id: str = required(
        "The id: 1 to 63 letters, digits, `_` or `-`. It becomes the name of the organization's database."
    )
    name: str | None = optional("The name.")
    description: str | None = optional("A description of the organization.")
    email: str | None = optional("The contact e-mail address.")
    website: str | None = optional("The address of the website.")
    idempotency_key: str | None = optional(IDEMPOTENCY_KEY, None)


@strawberry.input(description="A change of an organization. Fields that are left out keep their values.")
class UpdateOrganizationInput:
    organization_id: str = required("The id of the organization.")
    name: str | None = optional("The name.")
    description: str | None = optional("A description of the organization.")
    email: str | None = optional("The contact e-mail address.")
    website: str | None = optional("The address of the website.")
    create_if_missing: bool = optional("Whether to create the organization if it does not exist.", False)
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.type(description="The organization after the mutation.")
class OrganizationPayload:
    organization: Organization | None = attribute("The organization that was created or changed.")


SETTINGS = ("name", "description", "email", "website")


@strawberry.type
class OrganizationQueries:
    @derived(
        "The organizations that the viewer may access, in the order of their ids.",
        Connection[Organization] | None,
    )
    async def organizations(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        search: Annotated[
            str | None,
            argument("Return only organizations whose id or name contains this string, in any case."),
        ] = None,
    ) -> Any:
        return await organizations.list_organizations(info.context, first, after, search)

    @derived("The organization with an id, or null if there is none.", Organization | None)
    async def organization(self, info: Info, organization_id: OrganizationId) -> Any:
        return await scopes.get_organization(info.context, organization_id)


@strawberry.type
class OrganizationMutations:
    @mutation("Creates an organization.")
    async def create_organization(
        self, info: Info, input: Annotated[CreateOrganizationInput, argument("The new organization.")]
    ) -> OrganizationPayload | None:
        values = select_provided_values(input, *SETTINGS)
        created = await organizations.create_organization(
            get_context_of_creation(info, input), input.organization_id, values
        )
        return OrganizationPayload(organization=as_type(Organization, created))

    @mutation("Changes an organization.")
    async def update_organization(
        self,
        info: Info,
        input: Annotated[
            UpdateOrganizationInput, argument("The change, and the organization to apply it to.")
        ],
    ) -> OrganizationPayload | None:
        changed = await organizations.update_organization(
            info.context,
            input.organization_id,
            select_provided_values(input, *SETTINGS),
            if_updated_at=input.if_updated_at,
            create_if_missing=input.create_if_missing,
        )
        return OrganizationPayload(organization=as_type(Organization, changed))
