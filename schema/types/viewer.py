"""The viewer in the graph: who sends the request, and what they may access."""

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
        "The limits in force for the viewer, by name: what one request may cost, and the budgets of its"
        " credential. Empty without a credential.",
        JSON,
    )
    def limits(root: strawberry.Parent[Viewer], info: Info) -> dict[str, int]:
        if not root.grant.sees_limits:
            return {}
        budget = info.context.budget
        return {**info.context.meter.limits._asdict(), **(budget.limits() if budget is not None else {})}


@strawberry.type
class ViewerQueries:
    @derived("The user or program that sends this request.", ViewerType)
    def viewer(self, info: Info) -> Any:
        return info.context.viewer
