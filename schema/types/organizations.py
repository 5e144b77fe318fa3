"""Organizations in the graph."""

from typing import Annotated, Any

import strawberry

from resolvers import applications, connectors, devices, gateways, organizations, users
from resolvers.series import analytics as figures
from schema.engine.fields import Info, argument, attribute, derived, mutation
from schema.engine.inputs import IF_UPDATED_AT, optional, provided_values, required
from schema.engine.scalars import DateTime
from schema.types.analytics import Analytics
from schema.types.applications import Application
from schema.types.configuration import ConfigEntry
from schema.types.connectors import Connector
from schema.types.devices import Device, DeviceFilter, DeviceOrder, listing
from schema.types.gateways import Gateway
from schema.types.node import Node
from schema.types.paging import Connection
from schema.types.shared import After, First
from schema.types.users import User
from stores.entities import organizations as stored


@strawberry.type(description="A tenant: its applications, people, gateways and connectors.")
class Organization(Node):
    organization_id: str = attribute("The id, which also names its database.")
    name: str = attribute("The name, or the id where none was given.")
    description: str | None = attribute("What it is.")
    email: str | None = attribute("Where it is written to.")
    website: str | None = attribute("Where it shows itself.")
    status: str | None = attribute("A status, where one was seeded.")
    created_at: DateTime | None = attribute("When it was seeded, where that is known.")
    updated_at: DateTime | None = attribute("When it was last changed.")

    @derived("The size of its database in bytes, where the store tells.")
    async def size_on_disk(root: strawberry.Parent[stored.Organization], info: Info) -> float | None:
        return await organizations.size_on_disk(info.context, root)

    @derived("How many applications it has.")
    def application_count(root: strawberry.Parent[stored.Organization]) -> int:
        return len(root.settings)

    @derived("How many devices its applications have together.")
    async def device_count(root: strawberry.Parent[stored.Organization], info: Info) -> int:
        return await organizations.count_devices(info.context, root)

    @derived("How many users it has.")
    async def user_count(root: strawberry.Parent[stored.Organization], info: Info) -> int:
        return await organizations.count_users(info.context, root)

    @derived("Its applications, in the order they were made.", list[Application])
    def applications(root: strawberry.Parent[stored.Organization]) -> Any:
        return root.applications

    @derived("One of its applications.", Application | None)
    async def application(
        root: strawberry.Parent[stored.Organization],
        info: Info,
        application_id: Annotated[str, argument("The application's id.")],
    ) -> Any:
        return await applications.get_application(info.context, root.organization_id, application_id)

    @derived("The application that a client opens first.", Application | None)
    async def default_application(root: strawberry.Parent[stored.Organization], info: Info) -> Any:
        name = root.default_application_id
        return name and await applications.get_application(info.context, root.organization_id, name)

    @derived(
        "The devices of all its applications, by default in the order they were made.", Connection[Device]
    )
    async def devices(
        root: strawberry.Parent[stored.Organization],
        info: Info,
        first: First = None,
        after: After = None,
        filter: Annotated[DeviceFilter | None, argument("Which devices.")] = None,
        order_by: Annotated[DeviceOrder | None, argument("In which order.")] = None,
    ) -> Any:
        part = listing(info, first, after, filter, order_by)
        return await devices.list_organization_devices(info.context, root, part)

    @derived("Figures of it for a dashboard.", Analytics)
    def analytics(root: strawberry.Parent[stored.Organization]) -> Any:
        return figures.Analytics(root)

    @derived("Its users, in the order they were made.", list[User])
    async def users(root: strawberry.Parent[stored.Organization], info: Info) -> Any:
        return await users.list_users(info.context, root.organization_id)

    @derived("Its gateways, newest first.", list[Gateway])
    async def gateways(root: strawberry.Parent[stored.Organization], info: Info) -> Any:
        return await gateways.list_gateways(info.context, root.organization_id)

    @derived("Its own connectors: the templates for those of its applications.", list[Connector])
    async def connectors(root: strawberry.Parent[stored.Organization], info: Info) -> Any:
        return await connectors.list_connectors(info.context, root.organization_id, None)

    @derived("One of its own connectors.", Connector | None)
    async def connector(
        root: strawberry.Parent[stored.Organization],
        info: Info,
        document_id: Annotated[str, argument("The connector's id in the store.")],
    ) -> Any:
        return await connectors.get_connector(info.context, root.organization_id, None, document_id)

    @derived("Its settings as they are stored, as pairs.", list[ConfigEntry])
    def config(root: strawberry.Parent[stored.Organization]) -> Any:
        return [ConfigEntry(key=key, value=value) for key, value in root.document.items()]


@strawberry.input(description="A new organization.")
class CreateOrganizationInput:
    organization_id: str = required("Its id: 1 to 63 letters, digits, _ or -; it names its database.")
    name: str | None = optional("The name.")
    description: str | None = optional("What it is.")
    email: str | None = optional("Where it is written to.")
    website: str | None = optional("Where it shows itself.")


@strawberry.input(description="A change of an organization: what is not given stays as it is.")
class UpdateOrganizationInput:
    organization_id: str = required("Its id.")
    name: str | None = optional("The name.")
    description: str | None = optional("What it is.")
    email: str | None = optional("Where it is written to.")
    website: str | None = optional("Where it shows itself.")
    create_if_missing: bool = optional("Create the organization if there is none.", False)
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.type(description="The organization as it is now.")
class OrganizationPayload:
    organization: Organization = attribute("The organization.")


SETTINGS = ("name", "description", "email", "website")


@strawberry.type
class OrganizationQueries:
    @derived("The organizations that the viewer may see, by id.", Connection[Organization])
    async def organizations(
        self,
        info: Info,
        first: First = None,
        after: After = None,
        search: Annotated[str | None, argument("Only those whose id or name holds this text.")] = None,
    ) -> Any:
        return await organizations.list_organizations(info.context, first, after, search)

    @derived("An organization by its id.", Organization | None)
    async def organization(
        self, info: Info, organization_id: Annotated[str, argument("The organization's id.")]
    ) -> Any:
        return await organizations.get_organization(info.context, organization_id)


@strawberry.type
class OrganizationMutations:
    @mutation("Create an organization.")
    async def create_organization(
        self, info: Info, input: Annotated[CreateOrganizationInput, argument("The organization.")]
    ) -> OrganizationPayload:
        values = provided_values(input, *SETTINGS)
        created = await organizations.create_organization(info.context, input.organization_id, values)
        return OrganizationPayload(organization=created)  # type: ignore[arg-type]  # a record

    @mutation("Change an organization.")
    async def update_organization(
        self, info: Info, input: Annotated[UpdateOrganizationInput, argument("The change.")]
    ) -> OrganizationPayload:
        changed = await organizations.update_organization(
            info.context,
            input.organization_id,
            provided_values(input, *SETTINGS),
            if_updated_at=input.if_updated_at,
            create_if_missing=input.create_if_missing,
        )
        return OrganizationPayload(organization=changed)  # type: ignore[arg-type]  # a record
