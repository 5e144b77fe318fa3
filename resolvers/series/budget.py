"""The points that one request may return."""

from resolvers.context import Context
from stores.contracts.errors import LimitExceeded


def spend_points(context: Context, count: int) -> None:
    """Count the points of a series towards the limit of the request. Raises `LimitExceeded`."""
    limit = context.viewer.series.limits.points
    context.points += count
    if context.points > limit:
        raise LimitExceeded(
            "points",
            limit,
            advice="The response has too many points (series.max_points): request a shorter range, a wider"
            " `every` or fewer `maxPoints`.",
        )
