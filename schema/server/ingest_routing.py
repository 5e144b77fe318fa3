"""Which database points are written to: that of the key's organization, the request's or the machine's."""

from collections.abc import Sequence
from dataclasses import dataclass

from resolvers.grants import Grant
from resolvers.machine_owners import MachineOwners, pick_only
from schema.server.bodies import BadRequest
from stores.contracts.samples import MACHINE, Point
from stores.entities.machine_events import STATISTICS
from stores.entities.series_layout import OWN_PREFIX, SeriesLayout


class UnknownBucket(BadRequest):
    """There is no such bucket, or it is not the caller's."""

    def __init__(self, bucket: str) -> None:
        super().__init__(404, f'bucket "{bucket}" not found')
        self.bucket = bucket


@dataclass(frozen=True, slots=True)
class WriteTarget:
    """A database or, without one, that of the only organization that has registered the machine of a point.

    `organizations` are those that may be written, None all of them.
    """

    database: str | None
    organizations: frozenset[str] | None = None


class PointRouter:
    """Finds the databases of points by the `layout` of the store and the `owners` of machine ids."""

    def __init__(self, layout: SeriesLayout, owners: MachineOwners) -> None:
        self._layout, self._owners = layout, owners
        self._organizations = {database: id_ for id_, database in layout.databases.items()}  # by database

    async def find_target(self, grant: Grant, bucket: str, organization_id: str | None) -> WriteTarget:
        """What a request writes to that names a bucket and perhaps an organization. Raises `BadRequest`."""
        unknown_bucket = UnknownBucket(bucket)
        if organization_id is not None:
            unknown_organization = BadRequest(404, f'organization "{organization_id}" not found')
            if not grant.covers(organization_id):
                raise unknown_organization
            if bucket not in (self._layout.common, self._layout.find_location(organization_id).database):
                raise unknown_bucket
            if grant.is_operator and not await self._owners.is_organization(organization_id):
                raise unknown_organization
            return self._find_target_of(organization_id)
        if bucket in self._organizations and grant.covers(self._organizations[bucket]):
            return self._find_target_of(self._organizations[bucket])
        if bucket == STATISTICS and grant.is_operator:
            return WriteTarget(STATISTICS)
        only = pick_only(grant.organizations or ())
        # The bucket of an organization that the settings give one is that one, and no other.
        if bucket != self._layout.common or only in self._layout.databases:
            raise unknown_bucket
        return WriteTarget(None, grant.organizations) if only is None else self._find_target_of(only)

    async def split(self, points: Sequence[Point], target: WriteTarget) -> dict[str, Sequence[Point]]:
        """The points by the database that they belong to. Raises `Unavailable`.

        Points of a machine that no organization or several have registered belong to none.
        """
        if target.database is not None:
            return {target.database: points}
        machines = [dict(point.tags).get(MACHINE) for point in points]
        owners = await self._owners.find({machine for machine in machines if machine is not None})
        databases: dict[str | None, str] = {None: self._layout.common}
        for machine_id, ids in owners.items():
            allowed = ids if target.organizations is None else ids & target.organizations
            databases[machine_id] = self._layout.find_location(pick_only(allowed)).database
        by_database: dict[str, list[Point]] = {}
        for machine, point in zip(machines, points, strict=True):
            by_database.setdefault(databases[machine], []).append(point)
        return {**by_database}

    async def list_databases(self, target: WriteTarget) -> list[tuple[str | None, str]]:
        """The databases that a target may write to, each with its organization; None is that of none.

        Raises `Unavailable`.
        """
        if target.database is not None:
            return [(self._find_organization(target.database), target.database)]
        ids = target.organizations
        own = [] if ids is not None else [(None, self._layout.common)]
        return own + [
            (id_, self._layout.find_location(id_).database)
            for id_ in sorted(await self._owners.list_organizations() if ids is None else ids)
        ]

    def _find_organization(self, database: str) -> str | None:
        if database in self._organizations:
            return self._organizations[database]
        return database.removeprefix(OWN_PREFIX) if database.startswith(OWN_PREFIX) else None

    def _find_target_of(self, organization_id: str) -> WriteTarget:
        return WriteTarget(self._layout.find_location(organization_id).database)
