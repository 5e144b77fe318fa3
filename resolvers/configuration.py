"""Configuration entries of an application."""

from typing import Any

from resolvers.context import Context
from resolvers.rules.repository import Repository
from stores.entities.configuration import ConfigEntry


async def read_application_entries(
    context: Context, organization_id: str, application_id: str
) -> list[tuple[str, Any]]:
    """The keys and values of an application, oldest first; the last entry of a key wins."""
    entries = await Repository(context, ConfigEntry, organization_id, application_id).list_all()
    return list(
        {entry.key: entry.document.get("value") for entry in entries if entry.key is not None}.items()
    )
