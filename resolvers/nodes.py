"""Global ids: from an entity to its id, and back from an id to the entity."""

from typing import Any

from resolvers.context import Context
from resolvers.rules.ids import decode_global_id, encode_global_id
from resolvers.rules.repository import Repository
from resolvers.scopes import get_application, get_organization
from stores.contracts.errors import BadUserInput
from stores.entities.entity import APPLICATION, ORGANIZATION, SHARED, Entity
from stores.entities.icons import Icon
from stores.entities.registry import find_entity_of_node


def identify(record: Entity | Icon) -> str:
    """The global id of an entity: its kind, its organization, its application and its own key."""
    assert record.node_kind is not None
    return encode_global_id(record.node_kind, *record.identity())


async def get_node(context: Context, node_id: str) -> Entity | Icon | None:
    """The entity of a global id, or None if the id is malformed, or of nothing that the viewer may see."""
    decoded = decode_global_id(node_id)
    if decoded is None:
        return None
    kind, keys = decoded
    if not all(isinstance(key, str | None) for key in keys[:2]):
        return None
    try:
        match kind, keys:
            case "Organization", [str(organization_id)]:
                return await get_organization(context, organization_id)
            case "Application", [str(organization_id), str(application_id)]:
                return await get_application(context, organization_id, application_id)
            case Icon.node_kind, [str(category), str(name)]:
                return await context.icons.find_icon(category, name)
            case _, [organization_id, application_id, document_id]:
                return await _get_document(context, kind, organization_id, application_id, document_id)
    except BadUserInput:
        pass
    return None


async def _get_document(
    context: Context, kind: str, organization_id: str | None, application_id: str | None, document_id: Any
) -> Entity | None:
    if organization_id is None and application_id is not None:
        return None
    scope = SHARED if organization_id is None else ORGANIZATION if application_id is None else APPLICATION
    entity = find_entity_of_node(kind, scope)
    if entity is None or not entity.is_document:
        return None
    return await Repository(context, entity, organization_id, application_id).get_by_id(document_id)
