"""What can be fetched again by a global id."""

from typing import Any

import strawberry

from sync_gateway.resolvers import nodes
from sync_gateway.schema.fields import derived
from sync_gateway.stores.icons import Icon
from sync_gateway.stores.records import Record


@strawberry.interface(description="Something with an id that no two organizations share.")
class Node:
    @derived("The global id: opaque, and good for `node(id:)`.", needs=())
    def id(root: strawberry.Parent[Record | Icon]) -> strawberry.ID:
        return strawberry.ID(nodes.identify(root))

    @classmethod
    def is_type_of(cls, value: Any, info: Any) -> bool:
        """Instances are records; a type and its record share their name."""
        return type(value).__name__ == cls.__name__
