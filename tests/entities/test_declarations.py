"""What an entity must declare, and what follows from the declarations of all of them."""

import importlib
import pkgutil
from typing import Any

import pytest

import stores.entities
from stores.contracts.documents import Collection, Unique
from stores.entities.entity import APPLICATION, DECLARATIONS, ORGANIZATION, Entity
from stores.entities.registry import (
    ENTITIES,
    find_collection_of_name,
    find_entity_of_collection,
    find_entity_of_node,
    list_document_kinds,
    list_entities_of_application,
)

COMPLETE: dict[str, Any] = {
    "scope": ORGANIZATION,
    "collection": "things",
    "node_kind": "Thing",
    "document_kind": None,
    "unique": (),
    "indexes": (),
    "secrets": (),
}


@pytest.mark.parametrize("name", DECLARATIONS)
def test_a_class_without_a_declaration_cannot_be_created(name: str) -> None:
    members = {key: value for key, value in COMPLETE.items() if key != name}
    with pytest.raises(TypeError, match=rf"Thing must declare {name} \("):
        type("Thing", (Entity,), members)


def test_what_another_entity_declares_is_not_inherited() -> None:
    base = type("Base", (Entity,), dict(COMPLETE))
    with pytest.raises(TypeError, match="must declare scope"):
        type("Derived", (base,), {})


def test_only_an_application_has_a_collection_of_its_own() -> None:
    with pytest.raises(TypeError, match="only the scope APPLICATION"):
        type("Thing", (Entity,), {**COMPLETE, "collection": "{application_id}_things"})


def test_keys_of_a_shared_collection_are_unique_within_an_application() -> None:
    members = {"scope": APPLICATION, "unique": (("id",),), "indexes": ("events.class",)}
    thing: Any = type("Thing", (Entity,), {**COMPLETE, **members})
    unique = (Unique(("id",), within=("applicationId",)),)
    indexes = (("applicationId",), ("events", "class"))
    expected = Collection("things", unique=unique, indexes=indexes, anchor="config")
    assert thing.collection_of() == expected


def test_every_declared_entity_is_registered() -> None:
    for module in pkgutil.iter_modules(stores.entities.__path__):
        importlib.import_module(f"stores.entities.{module.name}")
    declared = {entity for entity in _subclasses(Entity) if entity.__module__.startswith("stores.entities.")}
    assert declared == set(ENTITIES)


def test_entities_agree_about_a_collection_that_they_share() -> None:
    by_name: dict[str, set[Any]] = {}
    for entity in ENTITIES:
        by_name.setdefault(entity.collection, set()).add((entity.scope, entity.unique, entity.indexes))
    assert [name for name, declarations in by_name.items() if len(declarations) > 1] == []


def test_a_kind_and_a_scope_name_one_entity() -> None:
    kinds = [(entity.node_kind, entity.scope) for entity in ENTITIES if entity.node_kind is not None]
    for kind, scope in kinds:
        entity = find_entity_of_node(kind, scope)
        assert entity is not None
        assert (entity.node_kind, entity.scope) == (kind, scope)
    # Organizations and applications have the scope of what they are stored in, but kinds of their own.
    assert len(set(kinds)) == len(kinds)
    assert [kind for kind, entity in list_document_kinds().items() if entity.document_kind != kind] == []


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.__name__)
def test_a_stored_collection_is_recognized_by_its_name(entity: type[Entity]) -> None:
    is_default = entity.scope.value == "shared"
    collection = entity.collection_of("linea.3")
    entity_found = find_entity_of_collection(collection.name, is_default=is_default)
    assert entity_found is not None
    assert entity_found.collection == entity.collection
    assert find_collection_of_name(collection.name, is_default=is_default) == collection


def test_a_collection_of_another_program_has_no_keys() -> None:
    assert find_entity_of_collection("audit", is_default=False) is None
    assert find_entity_of_collection("services", is_default=False) is None
    assert find_collection_of_name("audit", is_default=True) == Collection("audit")


def test_a_deletion_knows_everything_that_belongs_to_an_application() -> None:
    assert {entity.__name__ for entity in list_entities_of_application()} >= {
        "Device",
        "Connector",
        "ConfigEntry",
        "EventClass",
        "Function",
    }


def _subclasses(cls: type[Entity]) -> set[type[Entity]]:
    return {cls_ for child in cls.__subclasses__() for cls_ in (child, *_subclasses(child))}
