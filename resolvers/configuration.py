"""Configuration entries: an organization's settings as pairs, an application's from its own collection."""

from typing import Any

from sync_gateway.resolvers.context import Context
from sync_gateway.stores.collections import configuration
from sync_gateway.stores.documents import ALL
from sync_gateway.stores.records import text


async def application_entries(
    context: Context, organization_id: str, application_id: str
) -> list[tuple[str, Any]]:
    """The pairs of an application, in the order they were made; the last of one key wins."""
    loaders = context.viewer.organization(organization_id).loaders
    found = await loaders.pages(configuration(application_id)).load(ALL)
    pairs = {key: each.get("value") for each in found if (key := text(each.get("key"))) is not None}
    return list(pairs.items())
