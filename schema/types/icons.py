"""Icons in the graph."""

from typing import Annotated, Any
from urllib.parse import quote

import strawberry

from resolvers import icons
from schema.engine.fields import Info, argument, attribute, derived, mutation
from schema.engine.inputs import required
from schema.engine.scalars import Base64, DateTime
from schema.types.node import Node
from stores.entities import icons as stored


@strawberry.type(description="A small picture of a connector, a driver or something else.")
class Icon(Node):
    category: str = attribute("The folder it is in, such as `drivers`.")
    name: str = attribute("The name, in lower case.")
    format: str = attribute("svg, png or jpg: what its content is.")
    content_type: str = attribute("The media type.")
    size: int = attribute("The size in bytes.")
    updated_at: DateTime = attribute("When it was last kept.")

    @derived("Where it is fetched from.")
    def path(root: strawberry.Parent[stored.Icon]) -> str:
        return f"/api/library/{quote(root.category, '')}/{quote(root.name, '')}/icon"

    @derived("The file itself.")
    async def content(root: strawberry.Parent[stored.Icon]) -> Base64:
        return Base64(await icons.read_icon(root))


@strawberry.input(description="An icon to keep in the place of one of the same name.")
class UploadIconInput:
    category: str = required("The folder: letters, digits, space, _, . and -.")
    name: str = required("The name; it is put into lower case.")
    content: Base64 = required("A PNG, a JPEG or an SVG, smaller than 5 MiB.")


@strawberry.type(description="The icon as it is now.")
class IconPayload:
    icon: Icon = attribute("The icon.")


@strawberry.type
class IconQueries:
    @derived("The icons, by category and name.", list[Icon])
    async def icons(
        self, info: Info, category: Annotated[str | None, argument("Only those of this category.")] = None
    ) -> Any:
        return await icons.list_icons(info.context, category)

    @derived("An icon by its category and name, in one format or in the first there is.", Icon | None)
    async def icon(
        self,
        info: Info,
        category: Annotated[str, argument("The category.")],
        name: Annotated[str, argument("The name, in any case.")],
        format: Annotated[str | None, argument("svg, png, jpg or jpeg.")] = None,
    ) -> Any:
        return await icons.get_icon(info.context, category, name, format)


@strawberry.type
class IconMutations:
    @mutation("Keep an icon; scripts and outside references are taken out of an SVG.")
    async def upload_icon(
        self, info: Info, input: Annotated[UploadIconInput, argument("The icon.")]
    ) -> IconPayload:
        kept = await icons.upload_icon(info.context, input.category, input.name, input.content)
        return IconPayload(icon=kept)  # type: ignore[arg-type]  # a record
