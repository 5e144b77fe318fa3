"""Which part of the time-series store holds the series of an organization: the one location that says so."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class SeriesLocation:
    """A database and, if organizations share it by tag, the tag that all points of the organization have.

    `is_shared` is whether points of other organizations are there too, distinguished by the machine id alone.
    """

    database: str
    tag: tuple[str, str] | None = None
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class SeriesLayout:
    """Where the series of each organization are.

    An organization has the database that `databases` names. For the others, it depends: with
    `has_own_databases`, as in the embedded store, each has one that is named by its id; with a `tag`, they
    share the database `common` and their points have that tag; otherwise they share it by machine id alone.
    In the embedded store, `common` holds the points that belong to no organization yet.
    """

    common: str = "machines"
    databases: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    has_own_databases: bool = True
    tag: str | None = None

    @property
    def shares_by_machine(self) -> bool:
        """Whether organizations without an entry share `common` by machine id alone."""
        return not self.has_own_databases and self.tag is None

    def find_location(self, organization_id: str | None) -> SeriesLocation:
        """The location of an organization's series, or of those without an organization."""
        if organization_id is None:
            return SeriesLocation(self.common)
        if organization_id in self.databases:
            return SeriesLocation(self.databases[organization_id])
        if self.has_own_databases:
            return SeriesLocation(f"{OWN_PREFIX}{organization_id}")
        if self.tag is not None:
            return SeriesLocation(self.common, (self.tag, organization_id))
        return SeriesLocation(self.common, is_shared=True)

    def shares(self, organization_id: str, other_id: str) -> bool:
        """Whether the points of two organizations are distinguished by the machine id alone."""
        location = self.find_location(organization_id)
        return location.is_shared and location == self.find_location(other_id)

    def list_databases(self, organization_ids: Iterable[str]) -> list[str]:
        """The databases of the organizations, and the one of points without an organization."""
        own = (self.find_location(organization_id).database for organization_id in organization_ids)
        return list(dict.fromkeys([self.common, *own, *self.databases.values()]))


# No id of an organization contains a slash, so that no other database has the name of one.
OWN_PREFIX = "organization/"
