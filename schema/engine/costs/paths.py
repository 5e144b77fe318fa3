"""The estimate of an operation, path by path."""

from collections import deque
from typing import Any

from graphql.execution.executor import Executor

from resolvers.metering import Cost
from schema.engine.costs.declarations import OBJECT, PAGE, SATURATED, Basis, CostScope
from schema.engine.costs.formula import OBJECTS, CostedSelection, own_terms, resolve, transition

MAX_PATHS = 200


def costs_by_path(root: CostedSelection, core: Executor[Any], scope: CostScope) -> dict[str, Cost]:
    """What each path of an operation may cost by itself, such as `organization.applications`.

    Paths that cost nothing are left out, and so are those after the first `MAX_PATHS`, by level.
    """
    costs: dict[str, list[int]] = {}
    pending = deque([(root, "", [1] * len(Basis))])
    visits = 0
    while pending and visits < MAX_PATHS:
        selection, prefix, numbers = pending.popleft()
        shared: set[int] = set()
        for costed in selection.fields:
            visits += 1
            arguments = costed.arguments(core)
            if arguments is None:
                continue
            path = f"{prefix}{costed.key}"
            own = costs.setdefault(path, [0] * 4)
            for dimension, terms in own_terms(costed.cost, arguments, shared):
                own[dimension] += sum(resolve(a, arguments, scope) * numbers[b] for b, a in terms.items())
            if costed.selections:
                rows = transition(costed.cost, arguments, scope)
                below = [
                    min(sum(factor * numbers[parent] for parent, factor in rows[basis].items()), SATURATED)
                    for basis in Basis
                ]
                own[OBJECTS] += below[PAGE if costed.cost.holds_pages else OBJECT]
                pending += [(child, f"{path}.", below) for child in costed.selections]
    return {path: Cost(*(min(n, SATURATED) for n in own)) for path, own in costs.items() if any(own)}
