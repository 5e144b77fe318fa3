"""Icons: of connectors, drivers and whatever else the console shows."""

from asyncio import to_thread

from sync_gateway.resolvers.context import Context
from sync_gateway.stores.icons import Icon


async def list_icons(context: Context, category: str | None) -> list[Icon]:
    return await to_thread(context.icons.all, category)


async def upload_icon(context: Context, category: str, name: str, content: bytes) -> Icon:
    return await to_thread(context.icons.keep, category, name, content)
