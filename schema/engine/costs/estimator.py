"""Estimates of requests: the formula of an operation is compiled once, and cached with its document."""

from typing import Any

from graphql.execution.executor import Executor

from resolvers.context import Context
from resolvers.metering import Cost
from schema.engine.costs.declarations import Costs, CostScope
from schema.engine.costs.formula import CostFormula
from schema.engine.costs.paths import costs_by_path
from schema.engine.documents import OperationKey

MINUTE = 60 * 1_000_000_000  # in nanoseconds


class CostEstimator:
    """Estimates what requests cost. `costs` are those of all fields.

    `max_organizations` is the declared maximum of organizations, for callers who may see all of them.
    """

    def __init__(self, costs: Costs, max_organizations: int) -> None:
        self._costs, self._max_organizations = costs, max_organizations

    def estimate(self, key: OperationKey, core: Executor[Any], context: Context) -> Cost:
        """The upper bound on what a request costs."""
        return self._formula(key, core).evaluate(core, self._scope(context))

    def by_path(self, key: OperationKey, core: Executor[Any], context: Context) -> dict[str, Cost]:
        """The same for each path."""
        return costs_by_path(self._formula(key, core).root, core, self._scope(context))

    def _formula(self, key: OperationKey, core: Executor[Any]) -> CostFormula:
        formulas, operation = key.valid.formulas, key[1:]
        formula = formulas.get(operation)
        if formula is None:
            formula = formulas[operation] = CostFormula(core, self._costs)
        return formula

    def _scope(self, context: Context) -> CostScope:
        grant, series = context.viewer.grant, context.viewer.series_scope
        organizations = self._max_organizations if grant.organizations is None else len(grant.organizations)
        fan_out = 1 if grant.applications is None else max(1, organizations * len(grant.applications))
        # The time counts in whole minutes, so that the requests of a minute share an evaluation.
        now = context.now - context.now % MINUTE + MINUTE
        return CostScope(
            organizations,
            grant.is_operator,
            *series,
            fan_out,
            now,
        )
