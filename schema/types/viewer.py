"""The viewer in the graph: who is asking, and what they may reach."""

from typing import Any

import strawberry

from resolvers.context import Viewer as ContextViewer
from schema.engine.fields import Info, attribute, derived


@strawberry.type(description="Who is asking.")
class Viewer:
    name: str = attribute("What the viewer is called; `open` while no credentials are asked for.")
    role: str = attribute("What the viewer may do: `operator` may do everything.")

    @derived("The ids of the organizations that the viewer may see.")
    async def organization_ids(root: strawberry.Parent[ContextViewer]) -> list[str]:
        return await root.organization_ids()


@strawberry.type
class ViewerQueries:
    @derived("Who is asking.", Viewer)
    def viewer(self, info: Info) -> Any:
        return info.context.viewer
