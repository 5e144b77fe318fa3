"""From changed documents to the entities that they store, as the audit log names them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import bson

from resolvers.rules.ids import encode_global_id
from stores.contracts.documents import Document
from stores.contracts.journal import DocumentChange
from stores.contracts.records import read_object, read_string, read_strings
from stores.entities.api_keys import ApiKey
from stores.entities.entity import APPLICATION_ID, PLACEHOLDER, Entity
from stores.entities.organizations import APPLICATIONS_KEY, ORGANIZATION_KEY, Organization
from stores.entities.registry import find_entity_of_collection

SERVER_KEYS = ("_id", "__v", "updatedAt")  # of which an entry of the log has the content already
ORGANIZATIONS = "organizationIds"


@dataclass(frozen=True, slots=True)
class EntityChange:
    """An entity before and after a write, and the database whose log tells of it.

    `entity_id` is the global id, or the key's id of an API key.
    """

    database: str
    kind: str
    entity_id: str | None
    application_id: str | None
    before: Document | None
    after: Document | None


def find_changed_entities(
    database: str, default: str, changes: Sequence[DocumentChange]
) -> Iterator[EntityChange]:
    """The entities of changed documents, each document before its first change and after its last one.

    A document that is as it was before is left out, one of which only `updatedAt` differs is not. `default`
    is the name of the default database. A key of several organizations is in the log of each, which says
    nothing of the others.
    """
    for change in _merge_changes(changes):
        document = change.after or change.before or {}
        entity = find_entity_of_collection(change.collection.name, is_default=database == default)
        if entity is None:
            yield EntityChange(database, change.collection.name, None, None, change.before, change.after)
        elif entity is Organization:
            yield from _find_in_config(database, document.get("key"), change)
        elif entity is ApiKey:
            yield from _find_key(database, read_string(document.get("keyId")), change)
        else:
            yield _find_document(entity, database, None if database == default else database, change)


def _merge_changes(changes: Sequence[DocumentChange]) -> list[DocumentChange]:
    merged: dict[tuple[str, bytes], DocumentChange] = {}
    for change in changes:
        document = change.after if change.after is not None else change.before
        assert document is not None
        key = (change.collection.name, bson.encode({"": document["_id"]}))
        before = merged[key].before if key in merged else change.before
        merged[key] = DocumentChange(change.collection, before, change.after)
    return [change for change in merged.values() if change.before != change.after]


def _find_document(
    entity: type[Entity], database: str, organization_id: str | None, change: DocumentChange
) -> EntityChange:
    document = change.after or change.before or {}
    application_id = None
    if entity.shares_collection:
        application_id = read_string(document.get(APPLICATION_ID))
    elif PLACEHOLDER in entity.collection:
        application_id = change.collection.name.removesuffix(entity.collection.removeprefix(PLACEHOLDER))
    record = entity(document, organization_id, application_id)
    kind = entity.node_kind or entity.__name__
    entity_id = None if entity.node_kind is None else encode_global_id(kind, *record.identity())
    before, after = (_remove_server_keys(document) for document in (change.before, change.after))
    return EntityChange(database, kind, entity_id, application_id, before, after)


def _find_key(database: str, key_id: str | None, change: DocumentChange) -> Iterator[EntityChange]:
    documents = [_remove_server_keys(document) for document in (change.before, change.after)]
    ids = [id_ for document in documents for id_ in read_strings((document or {}).get(ORGANIZATIONS))]
    for organization_id in dict.fromkeys(ids):
        before, after = (d and {**d, ORGANIZATIONS: [organization_id]} for d in documents)
        yield EntityChange(organization_id, "ApiKey", key_id, None, before, after)
    if not ids:
        yield EntityChange(database, "ApiKey", key_id, None, *documents)


def _find_in_config(database: str, key: Any, change: DocumentChange) -> Iterator[EntityChange]:
    """The organization, and its applications, which are all in one document."""
    organization_id = encode_global_id("Organization", database)
    documents = [_remove_server_keys(document) for document in (change.before, change.after)]
    values = [document and read_object(document.get("value")) for document in documents]
    if key == ORGANIZATION_KEY:
        documents = [_remove_server_keys(value) for value in values]
    elif key == APPLICATIONS_KEY:
        settings = [read_object(value and value.get("applicationSettings")) for value in values]
        for application_id in dict.fromkeys(id_ for value in settings for id_ in value):
            before, after = (value.get(application_id) for value in settings)
            if before != after:
                before, after = _remove_server_keys(before), _remove_server_keys(after)
                entity_id = encode_global_id("Application", database, application_id)
                yield EntityChange(database, "Application", entity_id, application_id, before, after)
        default = "defaultApplication"
        documents = [{default: (value or {}).get(default)} for value in values]
        if documents[0] == documents[1]:
            return
    yield EntityChange(database, "Organization", organization_id, None, *documents)


def _remove_server_keys(document: Any) -> Document | None:
    if document is None:
        return None
    return {key: value for key, value in read_object(document).items() if key not in SERVER_KEYS}
