"""The viewer in the graph: who sends the request, and what they may access."""

from datetime import datetime
from typing import Any

import strawberry

from resolvers.context import Viewer
from schema.engine.fields import Info, derived
from schema.engine.scalars import DateTime


@strawberry.type(name="Viewer", description="The user or program that sends the request.")
class ViewerType:
    @derived("The name of the viewer. It is `open` while the gateway requires no credentials.")
    def name(root: strawberry.Parent[Viewer]) -> str:
        return root.grant.subject

    @derived(
        "The role of the viewer: `viewer`, `editor`, `admin` or `operator`. Each may do everything that the"
        " ones before it may. Null if the viewer may only write points."
    )
    def role(root: strawberry.Parent[Viewer]) -> str | None:
        return None if root.grant.role is None else root.grant.role.name.lower()

    @derived("The ids of the organizations that the viewer may access.")
    async def organization_ids(root: strawberry.Parent[Viewer]) -> list[str]:
        return await root.organization_ids()

    @derived("The ids of the applications that the viewer may access. Null if it may access all of them.")
    def application_ids(root: strawberry.Parent[Viewer]) -> list[str] | None:
        applications = root.grant.applications
        return None if applications is None else sorted(applications)

    @derived("When the rights of the viewer end. Null if they do not.", DateTime | None)
    def expires_at(root: strawberry.Parent[Viewer]) -> datetime | None:
        return root.grant.expires_at


@strawberry.type
class ViewerQueries:
    @derived("The user or program that sends this request.", ViewerType)
    def viewer(self, info: Info) -> Any:
        return info.context.viewer
