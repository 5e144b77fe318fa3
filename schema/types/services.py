"""Services in the graph."""

from enum import Enum
from typing import Annotated, Any

import strawberry

from resolvers import services
from schema.engine.fields import Info, argument, attribute, derived, mutation
from schema.engine.inputs import DOCUMENT, IF_UPDATED_AT, optional, provided_values, required, with_document
from schema.engine.scalars import JSON, DateTime
from schema.types.node import Node
from stores.entities import services as stored
from stores.entities.secrets import mask_secrets


@strawberry.enum(description="What a service is.")
class ServiceType(Enum):
    MQTT = strawberry.enum_value("mqtt", description="An MQTT broker.")
    KAFKA = strawberry.enum_value("kafka", description="A Kafka cluster.")
    INFLUXDB = strawberry.enum_value("influxdb", description="An InfluxDB server.")
    TIMESCALEDB_CLOUD = strawberry.enum_value("timescaledb_cloud", description="A hosted TimescaleDB.")
    TIMESCALEDB = strawberry.enum_value("timescaledb", description="A TimescaleDB server.")
    REDIS = strawberry.enum_value("redis", description="A Redis server.")
    TOPICS = strawberry.enum_value("topics", description="A set of topics.")
    UNKNOWN = strawberry.enum_value("unknown", description="Stored as something else; never taken as input.")


@strawberry.type(description="A server that the deployment works with.")
class Service(Node):
    document_id: str = attribute("The id in the store.")
    name: str = attribute("The name, unique.")
    enabled: bool = attribute("Whether it is in use.")
    created_at: DateTime | None = attribute("When it was made.")
    updated_at: DateTime | None = attribute("When it was last changed.")

    @derived("What it is.", ServiceType)
    def type(root: strawberry.Parent[stored.Service]) -> Any:
        return ServiceType(root.type if root.type in stored.TYPES else "unknown")

    @derived("Its settings; secrets are masked.", JSON | None)
    def configuration(root: strawberry.Parent[stored.Service]) -> Any:
        return mask_secrets(root.configuration)

    @derived("The whole document as it is stored; secrets are masked.", JSON)
    def document(root: strawberry.Parent[stored.Service]) -> Any:
        return mask_secrets(root.document)


@strawberry.input(description="A new service.")
class CreateServiceInput:
    name: str | None = optional("The name, unique; required here or in `document`.")
    type: ServiceType | None = optional("What it is; required here or in `document`.")
    configuration: JSON | None = optional("Its settings; required here or in `document`.")
    enabled: bool | None = optional("Whether it is in use; true when it is not given.")
    document: JSON | None = optional(DOCUMENT)


@strawberry.input(description="A change of a service: what is not given stays as it is.")
class UpdateServiceInput:
    document_id: str = required("The service's id in the store.")
    name: str | None = optional("The name, unique.")
    type: ServiceType | None = optional("What it is.")
    configuration: JSON | None = optional("Its settings, whole; a mask keeps the secret in its place.")
    enabled: bool | None = optional("Whether it is in use.")
    document: JSON | None = optional(DOCUMENT)
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.input(description="Whether a service is in use.")
class SetServiceEnabledInput:
    document_id: str = required("The service's id in the store.")
    enabled: bool = required("Whether it is in use.")
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.input(description="A service to delete.")
class DeleteServiceInput:
    document_id: str = required("The service's id in the store.")
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.type(description="The service as it is now or, deleted, as it was.")
class ServicePayload:
    service: Service = attribute("The service.")


def _values(source: CreateServiceInput | UpdateServiceInput) -> Any:
    values = provided_values(source, "name", "type", "configuration", "enabled")
    if isinstance(values.get("type"), ServiceType):
        values["type"] = values["type"].value
    return with_document(source.document, values)


@strawberry.type
class ServiceQueries:
    @derived("The services, the one changed last first.", list[Service])
    async def services(
        self,
        info: Info,
        type: Annotated[ServiceType | None, argument("Only those of this type.")] = None,
        enabled: Annotated[bool | None, argument("Only those that are, or are not, in use.")] = None,
    ) -> Any:
        return await services.list_services(info.context, str(type.value) if type else None, enabled)

    @derived("A service by its id in the store or by its name.", Service | None)
    async def service(
        self,
        info: Info,
        document_id: Annotated[str | None, argument("The id in the store.")] = None,
        name: Annotated[str | None, argument("The name.")] = None,
    ) -> Any:
        return await services.get_service(info.context, document_id, name)


@strawberry.type
class ServiceMutations:
    @mutation("Create a service.")
    async def create_service(
        self, info: Info, input: Annotated[CreateServiceInput, argument("The service.")]
    ) -> ServicePayload:
        created = await services.create_service(info.context, _values(input))
        return ServicePayload(service=created)  # type: ignore[arg-type]  # a record

    @mutation("Change a service.")
    async def update_service(
        self, info: Info, input: Annotated[UpdateServiceInput, argument("The change.")]
    ) -> ServicePayload:
        changed = await services.update_service(
            info.context, input.document_id, _values(input), input.if_updated_at
        )
        return ServicePayload(service=changed)  # type: ignore[arg-type]  # a record

    @mutation("Put a service into use, or out of it.")
    async def set_service_enabled(
        self, info: Info, input: Annotated[SetServiceEnabledInput, argument("Which one.")]
    ) -> ServicePayload:
        changed = await services.update_service(
            info.context, input.document_id, {"enabled": input.enabled}, input.if_updated_at
        )
        return ServicePayload(service=changed)  # type: ignore[arg-type]  # a record

    @mutation("Delete a service.")
    async def delete_service(
        self, info: Info, input: Annotated[DeleteServiceInput, argument("Which one.")]
    ) -> ServicePayload:
        deleted = await services.delete_service(info.context, input.document_id, input.if_updated_at)
        return ServicePayload(service=deleted)  # type: ignore[arg-type]  # a record
