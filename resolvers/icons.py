"""Icons of connectors, drivers and other things that the console shows."""

from asyncio import to_thread

from resolvers.context import Context
from stores.contracts.errors import BadUserInput, Forbidden
from stores.entities.icons import FORMATS, Icon, check_content


async def list_icons(context: Context, category: str | None) -> list[Icon]:
    """The icons of a category, or of all categories."""
    return await context.icons.list_icons(category)


async def get_icon(context: Context, category: str, name: str, format: str | None) -> Icon | None:
    """An icon in a format, or in the first format that exists; None if there is none."""
    if format is not None and format.lower() not in FORMATS:
        raise BadUserInput("Invalid format. Supported: png, svg, jpg, jpeg", fields=["format"])
    return await context.icons.find_icon(category, name, format and format.lower())


async def read_icon(context: Context, icon: Icon) -> bytes:
    """The content of an icon."""
    return await context.icons.read_icon(icon)


async def upload_icon(
    context: Context, category: str, name: str, content: bytes, *, keep_other_formats: bool
) -> Icon:
    """Check and save an icon, which all organizations see.

    Raises `BadUserInput` if the content is not an image that may be served, and `Forbidden`.
    """
    if context.viewer.grant.applications is not None:
        raise Forbidden("This requires a grant for all applications of the organization.")
    format, checked = await to_thread(check_content, content)
    return await context.icons.save_icon(
        category, name, format, checked, keep_other_formats=keep_other_formats
    )
