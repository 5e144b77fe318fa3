"""The list of entities, and what follows from their declarations."""

from stores.contracts.documents import Collection
from stores.entities.api_keys import ApiKey
from stores.entities.applications import Application
from stores.entities.audit import AuditEntry, RefusalEntry
from stores.entities.configuration import ConfigEntry
from stores.entities.connectors import Connector, ConnectorTemplate
from stores.entities.devices import Device, LegacyDevice
from stores.entities.entity import APPLICATION, PLACEHOLDER, SHARED, Entity, Scope
from stores.entities.event_classes import EventClass
from stores.entities.functions import Function
from stores.entities.gateways import Gateway
from stores.entities.organizations import Organization
from stores.entities.services import Service
from stores.entities.users import User

ENTITIES: tuple[type[Entity], ...] = (
    Organization,
    Application,
    Device,
    Connector,
    ConfigEntry,
    EventClass,
    Function,
    Gateway,
    ConnectorTemplate,
    User,
    Service,
    LegacyDevice,
    ApiKey,
    AuditEntry,
    RefusalEntry,
)


def find_entity_of_collection(name: str, *, is_default: bool) -> type[Entity] | None:
    """The entity whose documents a stored collection contains, or None for a collection of another program.

    The default database contains the shared entities, and may be an organization as well.
    """
    for entity in ENTITIES:
        if entity.scope is SHARED and not is_default:
            continue
        prefix, placeholder, suffix = entity.collection.partition(PLACEHOLDER)
        if name == prefix or (placeholder and name.startswith(prefix) and name.endswith(suffix)):
            return entity
    return None


def find_collection_of_name(name: str, *, is_default: bool) -> Collection:
    """A stored collection with its declared keys and indexes; one of another program has none."""
    entity = find_entity_of_collection(name, is_default=is_default)
    if entity is None:
        return Collection(name)
    _, _, suffix = entity.collection.partition(PLACEHOLDER)
    return entity.collection_of(name.removesuffix(suffix) if suffix else None)


def find_entity_of_node(kind: str, scope: Scope) -> type[Entity] | None:
    """The entity of a kind in global ids; kinds that two entities share are distinguished by their scope."""
    return next((e for e in ENTITIES if e.node_kind == kind and e.scope is scope), None)


def list_entities_of_application() -> list[type[Entity]]:
    """What belongs to an application, and is deleted with it."""
    return [entity for entity in ENTITIES if entity.scope is APPLICATION]


def list_document_kinds() -> dict[str, type[Entity]]:
    """The entities that the query `documents(of:)` lists, by the name of their kind."""
    return {entity.document_kind: entity for entity in ENTITIES if entity.document_kind is not None}
