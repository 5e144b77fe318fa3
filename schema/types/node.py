"""Nodes: what can be fetched again by its global id."""

from typing import Any

import strawberry

from resolvers import nodes
from schema.engine.fields import derived
from stores.entities.entity import Entity
from stores.entities.icons import Icon


@strawberry.interface(description="An object with a global id, which is unique across all organizations.")
class Node:
    @derived("The global id. It is opaque; `node(id:)` fetches the object again.", needs=())
    def id(root: strawberry.Parent[Entity | Icon]) -> strawberry.ID:
        return strawberry.ID(nodes.identify(root))

    @classmethod
    def is_type_of(cls, value: Any, info: Any) -> bool:
        """Instances are entities, which declare the kind that is the name of their type."""
        return getattr(value, "node_kind", None) == cls.__name__
