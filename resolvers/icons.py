"""Icons: of connectors, drivers and whatever else the console shows."""

from asyncio import to_thread

from resolvers.context import Context
from stores.contracts.errors import BadUserInput
from stores.entities.icons import FORMATS, Icon


async def list_icons(context: Context, category: str | None) -> list[Icon]:
    return await to_thread(context.icons.all, category)


async def get_icon(context: Context, category: str, name: str, format: str | None) -> Icon | None:
    if format is not None and format.lower() not in FORMATS:
        raise BadUserInput("Invalid format. Supported: png, svg, jpg, jpeg", fields=["format"])
    return await to_thread(context.icons.find, category, name, format and format.lower())


async def read_icon(icon: Icon) -> bytes:
    return await to_thread(icon.path.read_bytes)


async def upload_icon(context: Context, category: str, name: str, content: bytes) -> Icon:
    return await to_thread(context.icons.keep, category, name, content)
