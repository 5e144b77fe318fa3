"""Machines whose points belong to no organization, and giving them to one."""

from typing import Annotated, Any

import strawberry

from resolvers import unassigned_machines
from schema.engine.fields import Info, argument, as_type, attribute, derived, mutation
from schema.engine.inputs import required


@strawberry.type(description="A machine with points that belong to no organization.")
class UnassignedMachine:
    machine_id: str = attribute("The machine's id.")
    organization_ids: list[str] = attribute(
        "The organizations that have registered the machine id: none, several, or one that has registered it"
        " after the points were written."
    )


@strawberry.input(description="Gives the points of a machine that belong to no organization to one.")
class AssignMachineInput:
    machine_id: str = required("The machine's id.")
    organization_id: str = required("The id of the organization, which may read the points from then on.")


@strawberry.type(description="The machine whose points were assigned.")
class AssignMachinePayload:
    machine: UnassignedMachine | None = attribute("The machine.")


@strawberry.type
class UnassignedMachineQueries:
    @derived(
        "The machines with points that belong to no organization, by machine id: no organization, or several,"
        " had registered the machine id when the points came in without an organization. If a server stores"
        " the points, they are those of the last day, where organizations share a database by machine id.",
        list[UnassignedMachine],
    )
    async def unassigned_machines(
        self,
        info: Info,
        first: Annotated[
            int | None, argument("The maximum number of machines, 50 by default and at most 1000.")
        ] = None,
        after: Annotated[str | None, argument("Return only machine ids after this one.")] = None,
    ) -> Any:
        return await unassigned_machines.list_unassigned_machines(info.context, first, after)


@strawberry.type
class UnassignedMachineMutations:
    @mutation("Gives the points of a machine that belong to no organization to one. This cannot be undone.")
    async def assign_machine(
        self,
        info: Info,
        input: Annotated[AssignMachineInput, argument("The machine, and the organization.")],
    ) -> AssignMachinePayload | None:
        machine = await unassigned_machines.assign_machine(
            info.context, input.machine_id, input.organization_id
        )
        return AssignMachinePayload(machine=as_type(UnassignedMachine, machine))
