"""The settings of the limits: one for each limit, with the name that errors and metrics show."""

from typing import Literal, get_args

from pydantic import Field, SecretStr, field_validator

from resolvers.budgets import BudgetLimits
from resolvers.metering import Cost
from schema.engine.structure_limits import StructureLimits
from schema.server.load_settings import LoadLimitName, LoadSettings

# The limits of an operation that can be set to warn only. `tokens` is the setting graphql.max_tokens.
LimitName = Literal[
    "tokens",
    "depth",
    "aliases",
    "root_fields",
    "introspections",
    "directives",
    "variables",
    "input_values",
    "operations",
    "recursion",
    "repetitions",
    "selections",
    "answer_bytes",
    "calls",
    "documents",
    "points",
    "objects",
    "cost_per_minute",
    "tenant_cost_per_minute",
    "concurrent_requests",
    "address_requests_per_minute",
]
LIMIT_NAMES: tuple[str, ...] = get_args(LimitName)


class LimitSettings(LoadSettings):
    """What a request may cost. A request over a limit is rejected with `LIMIT_EXCEEDED`."""

    warn_only: tuple[Literal[LimitName, LoadLimitName], ...] = Field(
        default=(),
        description="The names of limits that are not enforced: a request over one of them passes, and the"
        " log and the metrics say so.",
    )
    depth: int = Field(
        default=20, ge=4, le=100, description="The maximum nesting of fields. Standard introspection has 15."
    )
    aliases: int = Field(
        default=30,
        ge=1,
        description="The maximum number of aliases under which one field of one object is selected.",
    )
    root_fields: int = Field(
        default=50, ge=1, description="The maximum number of fields that an operation selects of its root."
    )
    introspections: int = Field(
        default=5, ge=1, description="The maximum number of `__schema` and `__type` fields of an operation."
    )
    directives: int = Field(default=100, ge=1, description="The maximum number of directives in a document.")
    variables: int = Field(
        default=100, ge=1, description="The maximum number of variables that an operation declares."
    )
    input_values: int = Field(
        default=20_000,
        ge=1000,
        description="The maximum number of values in the variables of a request, where an object counts 20:"
        " some 800 objects, or 20,000 strings. The old routes have it, too.",
    )
    operations: int = Field(default=50, ge=1, description="The maximum number of operations in a document.")
    recursion: int = Field(
        default=2,
        ge=1,
        description="How often a path may contain the same field of a type, as device, application, devices,"
        " application does.",
    )
    repetitions: int = Field(
        default=100,
        ge=1,
        description="How often an operation may repeat a field of one object under the same name. Repeated"
        " fields are merged, after each has been compared with each.",
    )
    selections: int = Field(
        default=5000,
        ge=100,
        le=100_000,
        description="The maximum number of selections of a document, where a fragment counts each time that"
        " it is spread.",
    )

    batch: int = Field(
        default=0,
        ge=0,
        le=100,
        description="The maximum number of operations in a JSON list of requests. 0 permits no such lists."
        " Together they have the limits of one request.",
    )

    calls: int = Field(
        default=5000, ge=1, description="The maximum number of calls to the stores for one request."
    )
    documents: int = Field(
        default=200_000, ge=1, description="The maximum number of documents that one request reads."
    )
    points: int = Field(
        default=2_000_000, ge=1, description="The maximum number of points that one request reads."
    )
    objects: int = Field(
        default=1_000_000, ge=1, description="The maximum number of objects in the answer to one request."
    )
    cost_per_minute: int | None = Field(
        default=30_000,
        ge=1,
        description="The cost in a minute of the requests of one key, or of one subject of tokens, unless the"
        " key has a limit of its own. One unit is about a millisecond of a core. Null is no limit.",
    )
    tenant_cost_per_minute: int | None = Field(
        default=60_000,
        ge=1,
        description="The cost in a minute of the requests of all keys for the same organizations. Null is no"
        " limit.",
    )
    concurrent_requests: int | None = Field(
        default=50,
        ge=1,
        description="The maximum number of requests of one key that run at a time. Null is no limit.",
    )
    address_requests_per_minute: int | None = Field(
        default=3000,
        ge=1,
        description="The requests in a minute of one address without a valid credential. Null is no limit.",
    )
    store: SecretStr | None = Field(
        default=None,
        description="redis://... or rediss://...: the server through which several gateways share the limits"
        " per minute and of concurrent requests. Null: each process limits by itself.",
    )

    @field_validator("store")
    @classmethod
    def _check_scheme(cls, store: SecretStr | None) -> SecretStr | None:
        if store is not None and not store.get_secret_value().startswith(("redis://", "rediss://")):
            raise ValueError("the URL must start with redis:// or rediss://")
        return store

    def costs(self) -> Cost:
        """The limits of what one request costs."""
        return Cost(self.calls, self.documents, self.points, self.objects)

    def budgets(self) -> BudgetLimits:
        """The limits of what keys, tenants and addresses use."""
        return BudgetLimits(
            self.cost_per_minute,
            self.tenant_cost_per_minute,
            self.concurrent_requests,
            self.address_requests_per_minute,
        )

    def structure(self, max_tokens: int) -> StructureLimits:
        """The limits of a document's structure."""
        names = StructureLimits.__dataclass_fields__.keys() - {"tokens"}
        return StructureLimits(tokens=max_tokens, **{name: getattr(self, name) for name in names})
