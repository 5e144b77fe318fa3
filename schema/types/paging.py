"""Connections: pages of long lists in Relay's shape, with a shortcut to the nodes."""

from typing import Generic, TypeVar

import strawberry

from resolvers.rules.paging import Page
from schema.engine.fields import attribute, derived

T = TypeVar("T")


@strawberry.type(description="The position of a page in its list.")
class PageInfo:
    has_next_page: bool = attribute("Whether the list has more nodes after this page.")
    has_previous_page: bool = attribute(
        "Whether the page was requested with a cursor, so that there may be nodes before it."
    )
    start_cursor: str | None = attribute("The cursor of the first edge, or null if the page is empty.")
    end_cursor: str | None = attribute(
        "The cursor of the last edge, or null if the page is empty. Pass it as `after` to get the next page."
    )


@strawberry.type(description="A node and its cursor in the list.")
class Edge(Generic[T]):
    cursor: str = attribute("The position of the node. Pass it as `after` to get the nodes that follow.")
    node: T = attribute("The node.")


@strawberry.type(description="One page of a list.")
class Connection(Generic[T]):
    nodes: list[T] = attribute("The nodes of the page.")

    @derived("The nodes of the page, each with its cursor.")
    def edges(root: strawberry.Parent[Page[T]]) -> list[Edge[T]]:
        return [Edge(cursor=root.encode_cursor(node), node=node) for node in root.nodes]

    @derived("The position of the page in the list.")
    def page_info(root: strawberry.Parent[Page[T]]) -> PageInfo:
        nodes = root.nodes
        return PageInfo(
            has_next_page=root.has_next,
            has_previous_page=root.has_previous,
            start_cursor=root.encode_cursor(nodes[0]) if nodes else None,
            end_cursor=root.encode_cursor(nodes[-1]) if nodes else None,
        )

    @derived(
        "The number of nodes in the whole list. It costs a query of its own, which is run only "
        "if you select it."
    )
    async def total_count(root: strawberry.Parent[Page[T]]) -> int:
        return await root.count()
