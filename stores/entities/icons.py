"""Icons of connectors, drivers and other things: `{category}/{name}.{svg,png,jpg,jpeg}` in a file store."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from stores.contracts.errors import BadUserInput, LimitExceeded
from stores.contracts.files import FileStore, StoredFile
from stores.entities.svg import sanitize_svg

CONTENT_TYPES = {
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
}
FORMATS = tuple(CONTENT_TYPES)  # if a name has several files, the first format wins
MAX_BYTES = 5 * 1024 * 1024  # exclusive
_NAME = re.compile(r"[^\W_][\w .-]{0,99}|_[\w .-]{0,99}")
MAX_NAME_BYTES = 200  # file systems allow 255 with the suffix


@dataclass(frozen=True, slots=True)
class Icon:
    """An icon of a file store. Its name is in lower case."""

    node_kind: ClassVar[str] = "Icon"

    file: StoredFile

    @property
    def category(self) -> str:
        return self.file.folder

    @property
    def name(self) -> str:
        return self.file.stem

    @property
    def format(self) -> str:
        return self.file.suffix

    @property
    def content_type(self) -> str:
        return CONTENT_TYPES[self.file.suffix]

    @property
    def size(self) -> int:
        return self.file.size

    @property
    def updated_at(self) -> datetime:
        return self.file.updated_at

    def identity(self) -> tuple[str, str]:
        """The keys of its global id."""
        return self.category, self.name


class Icons:
    """The icons of a file store. Names are lower-cased, and no name leads out of its folder."""

    def __init__(self, files: FileStore) -> None:
        self._files = files

    async def find_icon(self, category: str, name: str, format: str | None = None) -> Icon | None:
        """The icon of a name, in one format or in the first that exists."""
        _check_name("category", category)
        _check_name("name", name)
        formats = (format,) if format else FORMATS
        file = await self._files.find_file(category, name.lower(), formats)
        return Icon(file) if file else None

    async def list_icons(self, category: str | None = None) -> list[Icon]:
        """Every icon, or those of one category, by category and name."""
        return [
            Icon(file)
            for file in await self._files.list_files(FORMATS)
            if category in (None, file.folder)
            and _is_name(file.folder)
            and _is_name(file.stem)
            and file.stem == file.stem.lower()  # no request could read another
        ]

    async def read_icon(self, icon: Icon) -> bytes:
        return await self._files.read_file(icon.file)

    async def save_icon(
        self, category: str, name: str, format: str, content: bytes, *, keep_other_formats: bool
    ) -> Icon:
        """Store content that `check_content` returned, in place of an icon of the same name."""
        _check_name("category", category)
        _check_name("name", name)
        others = () if keep_other_formats else [other for other in FORMATS if other != format]
        return Icon(await self._files.write_file(category, name.lower(), format, content, delete=others))


def _is_name(text: str) -> bool:
    safe = _NAME.fullmatch(text) is not None and not text.endswith((".", " "))
    return safe and len(text.encode()) <= MAX_NAME_BYTES


def _check_name(field: str, value: str) -> None:
    if not _is_name(value):
        raise BadUserInput(
            f"{field} may hold letters, digits, space, _, . and -, must not start with a dot, and has at most"
            f" 100 characters.",
            fields=[field],
        )


def check_content(content: bytes) -> tuple[str, bytes]:
    """The format of a file, whatever it is called, and what to store of it: an SVG is cleaned.

    The time is linear in the size. Raises `BadUserInput` or `LimitExceeded`.
    """
    if len(content) >= MAX_BYTES:
        raise LimitExceeded(
            "icon_bytes", MAX_BYTES - 1, len(content), "An icon must be smaller.", fields=["content"]
        )
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png", content
    if content.startswith(b"\xff\xd8\xff"):
        return "jpg", content
    if b"<svg" in content[:4096]:
        return "svg", sanitize_svg(content)
    raise BadUserInput("The content is not a PNG, a JPEG or an SVG.", fields=["content"])
