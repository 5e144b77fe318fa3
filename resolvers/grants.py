"""Who may do what. A grant is the one relation from which every right of a request follows.

Grants do not inherit and do not add up: a request has exactly one.
"""

from dataclasses import astuple, dataclass
from datetime import datetime
from enum import IntEnum


class Role(IntEnum):
    """What a subject may do in its organizations. Each role may do everything that the ones before it may."""

    VIEWER = 1  # reads
    EDITOR = 2  # changes devices, connectors, event classes and functions
    ADMIN = 3  # changes the organization, its users, gateways, applications, icons and keys
    OPERATOR = 4  # does everything, in every organization: services, metrics, traces


@dataclass(frozen=True, slots=True)
class GrantLimits:
    """What the subject of a grant may use at most. None is what the settings say."""

    cost_per_minute: int | None = None
    concurrent_requests: int | None = None

    def are_within(self, own: "GrantLimits") -> bool:
        """Whether these limits permit nothing that `own` limits do not permit."""
        pairs = zip(astuple(self), astuple(own), strict=True)
        return all(most is None or (limit is not None and limit <= most) for limit, most in pairs)


NO_LIMITS = GrantLimits()


@dataclass(frozen=True, slots=True)
class Grant:
    """The rights of one subject: the id of a key, or an issuer and the value of a claim.

    `organizations` None means every organization, `applications` None every application of these. `role` None
    reads and changes nothing; `ingest` permits writing points, and nothing else. `expires_at` is in UTC.
    """

    subject: str
    role: Role | None
    organizations: frozenset[str] | None = frozenset()
    applications: frozenset[str] | None = None
    ingest: bool = False
    expires_at: datetime | None = None
    limits: GrantLimits = NO_LIMITS
    is_authenticated: bool = True  # whether the request has a credential

    def __post_init__(self) -> None:
        if self.role is Role.OPERATOR and (self.organizations, self.applications) != (None, None):
            raise ValueError("an operator's grant covers every organization and application")

    def __hash__(self) -> int:
        """The subject tells grants apart in caches well enough, which every request looks into."""
        return hash(self.subject)

    @property
    def is_operator(self) -> bool:
        return self.role is Role.OPERATOR

    @property
    def sees_limits(self) -> bool:
        """Whether errors show the subject the numbers of limits, which strangers do not see."""
        return self.is_authenticated or self.is_operator

    def allows(self, role: Role) -> bool:
        """Whether the subject may do what `role` is required for."""
        return self.role is not None and self.role >= role

    def covers(self, organization_id: str | None) -> bool:
        """Whether the grant is for the organization; None is what belongs to no organization."""
        if organization_id is None:
            return self.is_operator
        return self.organizations is None or organization_id in self.organizations

    def covers_application(self, application_id: str) -> bool:
        """Whether the grant is for the application, in the organizations that it covers."""
        return self.applications is None or application_id in self.applications


PUBLIC = Grant("public", Role.VIEWER, is_authenticated=False)  # of everybody, for what needs no credential
OPEN = Grant(
    "open", Role.OPERATOR, organizations=None, is_authenticated=False
)  # of everybody, while no credential exists
