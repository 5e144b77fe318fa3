"""What can be fetched again by a global id."""

from typing import Any

import strawberry

from resolvers import nodes
from schema.engine.fields import derived
from stores.contracts.records import Record
from stores.entities.icons import Icon


@strawberry.interface(description="Something with an id that no two organizations share.")
class Node:
    @derived("The global id: opaque, and good for `node(id:)`.", needs=())
    def id(root: strawberry.Parent[Record | Icon]) -> strawberry.ID:
        return strawberry.ID(nodes.identify(root))

    @classmethod
    def is_type_of(cls, value: Any, info: Any) -> bool:
        """Instances are records; a type and its record share their name."""
        return type(value).__name__ == cls.__name__
