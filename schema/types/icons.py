"""Icons in the graph."""

from typing import Annotated, Any
from urllib.parse import quote

import strawberry

from resolvers import icons
from schema.engine.fields import Info, argument, as_type, attribute, derived, mutation
from schema.engine.inputs import optional, required
from schema.engine.scalars import Base64, DateTime
from schema.types.node import Node
from stores.entities import icons as stored


@strawberry.type(description="A small picture, for example of a connector or of a driver.")
class Icon(Node):
    category: str = attribute("The category, which is the folder of the icon, such as `drivers`.")
    name: str = attribute("The name, in lower case.")
    format: str = attribute("The format of the content: `svg`, `png` or `jpg`.")
    content_type: str = attribute("The media type of the content.")
    size: int = attribute("The size of the content in bytes.")
    updated_at: DateTime = attribute("The time of its latest upload.")

    @derived("The path from which a browser can load the icon.")
    def path(root: strawberry.Parent[stored.Icon]) -> str:
        return f"/api/library/{quote(root.category, '')}/{quote(root.name, '')}/icon"

    @derived("The content of the file.")
    async def content(root: strawberry.Parent[stored.Icon], info: Info) -> Base64:
        return Base64(await icons.read_icon(info.context, root))


@strawberry.input(description="An icon to store. It replaces the icon of the same category and name.")
class UploadIconInput:
    category: str = required("The category: letters, digits, spaces, `_`, `.` and `-`.")
    name: str = required("The name, which is converted to lower case.")
    content: Base64 = required("The content of a PNG, JPEG or SVG file that is smaller than 5 MiB.")
    keep_other_formats: bool = optional(
        "Keep files of the same name in other formats. The first of `svg`, `png`, `jpg` and `jpeg` is shown.",
        False,
    )


@strawberry.type(description="The icon after the mutation.")
class IconPayload:
    icon: Icon | None = attribute("The stored icon.")


@strawberry.type
class IconQueries:
    @derived("The icons, in the order of their categories and names.", list[Icon])
    async def icons(
        self,
        info: Info,
        category: Annotated[str | None, argument("Return only icons of this category.")] = None,
    ) -> Any:
        return await icons.list_icons(info.context, category)

    @derived("The icon with a category and a name, or null if there is none.", Icon | None)
    async def icon(
        self,
        info: Info,
        category: Annotated[str, argument("The category of the icon.")],
        name: Annotated[str, argument("The name of the icon, in any case.")],
        format: Annotated[
            str | None,
            argument(
                "The format: `svg`, `png`, `jpg` or `jpeg`. Without it, the first existing format is "
                "returned."
            ),
        ] = None,
    ) -> Any:
        return await icons.get_icon(info.context, category, name, format)


@strawberry.type
class IconMutations:
    @mutation("Stores an icon. Scripts and references to other servers are removed from SVG files.")
    async def upload_icon(
        self, info: Info, input: Annotated[UploadIconInput, argument("The icon to store.")]
    ) -> IconPayload | None:
        icon = await icons.upload_icon(
            info.context,
            input.category,
            input.name,
            input.content,
            keep_other_formats=input.keep_other_formats,
        )
        return IconPayload(icon=as_type(Icon, icon))
