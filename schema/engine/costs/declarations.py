"""The terms in which the costs of fields are declared."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

from resolvers.limits import LIMITS, Limits

SATURATED = 2**53 - 1  # what larger numbers are counted as: the largest integer that every JSON parser reads


class Basis(IntEnum):
    """What is counted at a path of an operation, and what an amount of a declaration is multiplied by.

    A batched field makes one call for each group of objects that arrive together: one for a whole level,
    unless the level above took several calls.
    """

    LEVEL = 0  # groups of objects that arrive together
    TENANT = 1  # such groups, those of each organization on their own
    OBJECT = 2  # objects
    PAGE = 3  # lists: pages of connections, series, and whether `analytics` is about all organizations
    ORGANIZATION = 4  # different organizations of the objects
    APPLICATION = 5  # different applications of the objects
    MACHINE = 6  # devices in these organizations or applications


LEVEL, TENANT, OBJECT, PAGE, ORGANIZATION, APPLICATION, MACHINE = Basis


class CostScope(NamedTuple):
    """What amounts depend on beside arguments: who asks, and when (nanoseconds since 1970).

    `organizations` is how many the caller may see, `databases` how many databases of series there are,
    `limits` and `time_zone` those of series.
    `fan_out` is how many calls one call becomes: for a grant that is limited to some applications, each
    organization and application is read on its own.
    """

    organizations: int
    is_operator: bool = True
    databases: int = 1
    limits: Limits = LIMITS
    time_zone: str = "UTC"
    fan_out: int = 1
    now: int = 0


Arguments: TypeAlias = Mapping[str, Any]
# A number, or a function of the coerced arguments of the field.
Amount: TypeAlias = int | Callable[[Arguments, CostScope], int]
Terms: TypeAlias = Mapping[Basis, Amount]


@dataclass(frozen=True, slots=True)
class Reads:
    """Reads that several fields of one object share: a loader reads once for all of them."""

    calls: Terms
    documents: Terms


# Reads, or a function that tells by the arguments whether there are any.
SharedReads: TypeAlias = Reads | Callable[[Arguments], Reads | None]


@dataclass(frozen=True)
class FieldCost:
    """The cost of one field: an upper bound on what its resolver reads for the objects of one path.

    `size` is the number of objects in the value for each parent. `below` says how many there are of a basis
    at the field's own path; what it does not name stays as it is at the parents, and objects are `size` for
    each parent.
    """

    calls: Terms = field(default_factory=dict)
    documents: Terms = field(default_factory=dict)
    points: Terms = field(default_factory=dict)
    size: Amount = 1
    below: Mapping[Basis, Terms] = field(default_factory=dict)
    shared: tuple[SharedReads, ...] = ()
    holds_pages: bool = False  # one object with a list of `size` objects in it: a connection

    @cached_property
    def depends_on_arguments(self) -> bool:
        """Whether an amount is a function of the arguments."""
        if any(callable(shared) for shared in self.shared):
            return True
        reads = (
            terms
            for shared in self.shared
            if isinstance(shared, Reads)
            for terms in (shared.calls, shared.documents)
        )
        terms = (self.calls, self.documents, self.points, *self.below.values(), *reads)
        amounts = [self.size, *(amount for term in terms for amount in term.values())]
        return any(callable(amount) for amount in amounts)


FREE = FieldCost()
Costs: TypeAlias = Mapping[str, FieldCost]  # by type and field, such as `Device.status`
