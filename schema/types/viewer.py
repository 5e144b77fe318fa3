"""The viewer in the graph: who sends the request, and what they may access."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import strawberry

from resolvers.context import Viewer
from schema.engine.fields import Info, derived
from schema.engine.scalars import JSON, DateTime


@strawberry.type(name="Viewer", description="The user or program that sends the request.")
class ViewerType:
    @derived(
        "Who the viewer is: the id of an API key, or the issuer and the subject of a token. `open` stands for"
        " everybody, while the gateway requires no credentials."
    )
    def subject(root: strawberry.Parent[Viewer]) -> str:
        return root.grant.subject

    @derived(
        "The role of the viewer: `viewer`, `editor`, `admin` or `operator`. Each may do everything that the"
        " ones before it may."
    )
    def role(root: strawberry.Parent[Viewer]) -> str | None:
        return None if root.grant.role is None else root.grant.role.name.lower()

    @derived("The ids of the organizations that the viewer may access.")
    async def organizations(root: strawberry.Parent[Viewer]) -> list[str]:
        return await root.organization_ids()

    @derived("The ids of the applications that the viewer may access. Null if it may access all of them.")
    def applications(root: strawberry.Parent[Viewer]) -> list[str] | None:
        applications = root.grant.applications
        return None if applications is None else sorted(applications)

    @derived("When the rights of the viewer end. Null if they do not.", DateTime | None)
    def expires_at(root: strawberry.Parent[Viewer]) -> datetime | None:
        return root.grant.expires_at

    @derived(
        "The limits of the viewer's own by name, such as `{cost_per_minute: 60000}`. What is not named is as"
        " the settings say.",
        JSON,
    )
    def limits(root: strawberry.Parent[Viewer]) -> dict[str, int]:
        return {name: limit for name, limit in asdict(root.grant.limits).items() if limit is not None}


@strawberry.type
class ViewerQueries:
    @derived("The user or program that sends this request.", ViewerType)
    def viewer(self, info: Info) -> Any:
        return info.context.viewer
