"""Services in the graph."""

from enum import Enum
from typing import Annotated, Any

import strawberry

from resolvers import services
from resolvers.rules.masks import show_secrets
from schema.engine.fields import Info, argument, as_type, attribute, derived, mutation
from schema.engine.inputs import (
    DOCUMENT,
    IF_UPDATED_AT,
    merge_with_document,
    optional,
    required,
    select_provided_values,
)
from schema.engine.scalars import JSON, DateTime
from schema.types.node import Node
from schema.types.shared import (
    CREATED_AT,
    DOCUMENT_ID,
    IDEMPOTENCY_KEY,
    STORED_DOCUMENT_MASKED,
    UPDATED_AT,
    get_context_of_creation,
)
from stores.entities import services as stored


@strawberry.enum(description="The type of a service.")
class ServiceType(Enum):
    MQTT = strawberry.enum_value("mqtt", description="An MQTT broker.")
    KAFKA = strawberry.enum_value("kafka", description="A Kafka cluster.")
    INFLUXDB = strawberry.enum_value("influxdb", description="An InfluxDB server.")
    TIMESCALEDB_CLOUD = strawberry.enum_value("timescaledb_cloud", description="A hosted TimescaleDB.")
    TIMESCALEDB = strawberry.enum_value("timescaledb", description="A TimescaleDB server.")
    REDIS = strawberry.enum_value("redis", description="A Redis server.")
    TOPICS = strawberry.enum_value("topics", description="A set of message topics.")
    UNKNOWN = strawberry.enum_value(
        "unknown", description="Any other stored type. It is not accepted in inputs."
    )


@strawberry.type(
    description="An external server that the deployment uses, such as a message broker or a database."
)
class Service(Node):
    document_id: str = attribute(DOCUMENT_ID)
    name: str = attribute("The name, which is unique among the services.")
    enabled: bool = attribute("Whether the service is in use.")
    created_at: DateTime | None = attribute(CREATED_AT)
    updated_at: DateTime | None = attribute(UPDATED_AT)

    @derived("The type of the service.", ServiceType)
    def type(root: strawberry.Parent[stored.Service]) -> Any:
        return ServiceType(root.type if root.type in stored.TYPES else "unknown")

    @derived("The settings of the service. Secrets are masked.", JSON | None)
    def configuration(root: strawberry.Parent[stored.Service], info: Info) -> Any:
        return show_secrets(info.context, {"configuration": root.configuration})["configuration"]

    @derived(STORED_DOCUMENT_MASKED, JSON)
    def document(root: strawberry.Parent[stored.Service], info: Info) -> Any:
        return show_secrets(info.context, root.document)


@strawberry.input(description="A new service.")
class CreateServiceInput:
    name: str | None = optional(
        "The name, which is unique among the services. It is required here or in `document`."
    )
    type: ServiceType | None = optional("The type of the service. It is required here or in `document`.")
    configuration: JSON | None = optional(
        "The settings of the service. They are required here or in `document`."
    )
    enabled: bool | None = optional("Whether the service is in use; true by default.")
    document: JSON | None = optional(DOCUMENT)
    idempotency_key: str | None = optional(IDEMPOTENCY_KEY, None)


@strawberry.input(description="A change of a service. Fields that are left out keep their values.")
class UpdateServiceInput:
    document_id: str = required("The `documentId` of the service.")
    name: str | None = optional("The new name, which is unique among the services.")
    type: ServiceType | None = optional("The new type.")
    configuration: JSON | None = optional(
        "The new settings, which replace the stored ones as a whole. A masked value keeps the stored secret."
    )
    enabled: bool | None = optional("Whether the service is in use.")
    document: JSON | None = optional(DOCUMENT)
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.input(description="Puts a service into use or out of use.")
class SetServiceEnabledInput:
    document_id: str = required("The `documentId` of the service.")
    enabled: bool = required("Whether the service is in use.")
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.input(description="The service to delete.")
class DeleteServiceInput:
    document_id: str = required("The `documentId` of the service.")
    if_updated_at: DateTime | None = optional(IF_UPDATED_AT, None)


@strawberry.type(description="The service after the mutation or, if it was deleted, before it.")
class ServicePayload:
    service: Service | None = attribute("The service that was created, changed or deleted.")


def _read_values(source: CreateServiceInput | UpdateServiceInput) -> Any:
    values = select_provided_values(source, "name", "type", "configuration", "enabled")
    if isinstance(values.get("type"), ServiceType):
        values["type"] = values["type"].value
    return merge_with_document(source.document, values)


@strawberry.type
class ServiceQueries:
    @derived("The services. The one that was changed last comes first.", list[Service])
    async def services(
        self,
        info: Info,
        type: Annotated[ServiceType | None, argument("Return only services of this type.")] = None,
        enabled: Annotated[
            bool | None, argument("Return only services that are in use (true) or not in use (false).")
        ] = None,
    ) -> Any:
        return await services.list_services(info.context, str(type.value) if type else None, enabled)

    @derived(
        "The service with a `documentId` or a name, or null if there is none. Provide one of the two.",
        Service | None,
    )
    async def service(
        self,
        info: Info,
        document_id: Annotated[str | None, argument("The `documentId` of the service.")] = None,
        name: Annotated[str | None, argument("The name of the service.")] = None,
    ) -> Any:
        return await services.get_service(info.context, document_id, name)


@strawberry.type
class ServiceMutations:
    @mutation("Creates a service.")
    async def create_service(
        self, info: Info, input: Annotated[CreateServiceInput, argument("The new service.")]
    ) -> ServicePayload | None:
        created = await services.create_service(get_context_of_creation(info, input), _read_values(input))
        return ServicePayload(service=as_type(Service, created))

    @mutation("Changes a service.")
    async def update_service(
        self,
        info: Info,
        input: Annotated[UpdateServiceInput, argument("The change, and the service to apply it to.")],
    ) -> ServicePayload | None:
        changed = await services.update_service(
            info.context, input.document_id, _read_values(input), input.if_updated_at
        )
        return ServicePayload(service=as_type(Service, changed))

    @mutation("Puts a service into use or out of use.")
    async def set_service_enabled(
        self,
        info: Info,
        input: Annotated[SetServiceEnabledInput, argument("The service, and whether it is in use.")],
    ) -> ServicePayload | None:
        changed = await services.update_service(
            info.context, input.document_id, {"enabled": input.enabled}, input.if_updated_at
        )
        return ServicePayload(service=as_type(Service, changed))

    @mutation("Deletes a service.")
    async def delete_service(
        self, info: Info, input: Annotated[DeleteServiceInput, argument("The service to delete.")]
    ) -> ServicePayload | None:
        deleted = await services.delete_service(info.context, input.document_id, input.if_updated_at)
        return ServicePayload(service=as_type(Service, deleted))
