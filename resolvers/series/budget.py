"""The points that one request may return."""

from resolvers.context import Context
from stores.contracts.errors import LimitExceeded

POINTS = "points (series.max_points): request a shorter range, a wider `every` or fewer `maxPoints`."
CHANGES = "changes of states (series.max_points): request a shorter `range`, fewer machines, or `where`."
ALARMS = "changes of alarms (series.max_points): request a shorter `range`, fewer `machines`, or `classes`."


def spend_points(context: Context, count: int, advice: str = POINTS) -> None:
    """Count the points of a series towards the limit of the request. Raises `LimitExceeded`.

    `advice` says what there is too much of, and what to do.
    """
    limit = context.viewer.series.limits.points
    context.points += count
    if context.points > limit:
        raise LimitExceeded(
            "points",
            limit,
            advice=f"The response has too many {advice}",
        )
