"""Connections: the Relay shape of a page, with the nodes also at hand without their edges."""

from typing import Generic, TypeVar

import strawberry

from resolvers.rules.paging import Page
from schema.engine.fields import attribute, derived

T = TypeVar("T")


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    has_next_page: bool = attribute("Whether the list goes on behind this page.")
    has_previous_page: bool = attribute("Whether the page was asked for by a cursor.")
    start_cursor: str | None = attribute("The cursor of the first edge.")
    end_cursor: str | None = attribute("The cursor of the last edge: the next page's `after`.")


@strawberry.type(description="A node and its place in the list.")
class Edge(Generic[T]):
    cursor: str = attribute("The place of the node: pass it as `after` to go on behind it.")
    node: T = attribute("The node.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    nodes: list[T] = attribute("The nodes of the page.")

    @derived("The nodes of the page, each with its cursor.")
    def edges(root: strawberry.Parent[Page[T]]) -> list[Edge[T]]:
        return [Edge(cursor=root.encode_cursor(node), node=node) for node in root.nodes]

    @derived("Where the page lies in the list.")
    def page_info(root: strawberry.Parent[Page[T]]) -> PageInfo:
        nodes = root.nodes
        return PageInfo(
            has_next_page=root.has_next,
            has_previous_page=root.has_previous,
            start_cursor=root.encode_cursor(nodes[0]) if nodes else None,
            end_cursor=root.encode_cursor(nodes[-1]) if nodes else None,
        )

    @derived("How many the whole list holds; counted only when asked for.")
    async def total_count(root: strawberry.Parent[Page[T]]) -> int:
        return await root.count()
