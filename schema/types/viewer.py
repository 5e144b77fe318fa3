"""The viewer in the graph: who sends the request, and what they may access."""

from typing import Any

import strawberry

from resolvers.context import Viewer as ContextViewer
from schema.engine.fields import Info, attribute, derived


@strawberry.type(description="The user or program that sends the request.")
class Viewer:
    name: str = attribute("The name of the viewer. It is `open` while the gateway requires no credentials.")
    role: str = attribute("The role of the viewer. An `operator` may do everything.")

    @derived("The ids of the organizations that the viewer may access.")
    async def organization_ids(root: strawberry.Parent[ContextViewer]) -> list[str]:
        return await root.organization_ids()


@strawberry.type
class ViewerQueries:
    @derived("The user or program that sends this request.", Viewer)
    def viewer(self, info: Info) -> Any:
        return info.context.viewer
