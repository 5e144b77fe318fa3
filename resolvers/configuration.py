"""Configuration entries: an organization's settings as pairs, an application's from its own collection."""

from typing import Any

from resolvers.context import Context
from stores.contracts.documents import ALL
from stores.contracts.records import read_string
from stores.entities.collections import configuration


async def application_entries(
    context: Context, organization_id: str, application_id: str
) -> list[tuple[str, Any]]:
    """The pairs of an application, in the order they were made; the last of one key wins."""
    loaders = context.viewer.tenant(organization_id).loaders
    found = await loaders.pages(configuration(application_id)).load(ALL)
    pairs = {key: each.get("value") for each in found if (key := read_string(each.get("key"))) is not None}
    return list(pairs.items())
