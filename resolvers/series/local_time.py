"""The time zone and the shifts that are in force for a range: those of the requested application."""

from dataclasses import replace
from typing import Protocol

from resolvers.context import Context
from resolvers.scopes import get_application
from resolvers.series.ranges import RequestedRange
from resolvers.series.shifts import LocalShifts
from resolvers.series.windows import WindowRule
from stores.entities.applications import Application


class HasApplication(Protocol):
    """An application, or something that may belong to one."""

    @property
    def organization_id(self) -> str | None: ...

    @property
    def application_id(self) -> str | None: ...


def names_shifts(requested: RequestedRange, every: WindowRule | None) -> bool:
    """Whether a range or its windows are those of shifts."""
    return "shift" in (requested.current, requested.previous, every and every.unit)


async def localize(
    context: Context,
    owner: HasApplication,
    requested: RequestedRange,
    every: WindowRule | None = None,
    *,
    with_shifts: bool = False,
) -> RequestedRange:
    """Return a range with the time zone and the shifts of the application, if it or its windows need them.

    `with_shifts` requires the shifts in any case; there are none if the application has no plan. The
    applications of all organizations that a request asks for together are one call.
    """
    needs_shifts = with_shifts or names_shifts(requested, every)
    is_local = requested.is_local or (every is not None and every.duration is None)
    if not needs_shifts and (requested.zone is not None or not is_local):
        return requested
    application = await _find_application(context, owner)
    zone = (application and application.time_zone) or context.viewer.series.time_zone
    plan = application and application.shift_plan
    shifts = LocalShifts(plan, zone) if plan and needs_shifts else None
    return replace(requested, zone=requested.zone or zone, shifts=shifts)


async def _find_application(context: Context, owner: HasApplication) -> Application | None:
    if owner.organization_id is None or owner.application_id is None:
        return None
    return await get_application(context, owner.organization_id, owner.application_id)
