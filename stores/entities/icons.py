"""Icons on disk: `{category}/{name}.{svg,png,jpg,jpeg}` under one folder, the old or the new file whole."""

import contextlib
import os
import re
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.parsers import expat

import py_svg_hush

from stores.contracts.errors import BadUserInput, LimitExceeded

FORMATS = ("svg", "png", "jpg", "jpeg")  # the first that exists is the icon
CONTENT_TYPES = {
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
}
MAX_BYTES = 5 * 1024 * 1024  # exclusive
MAX_SVG_BYTES, MAX_DEPTH, MAX_ELEMENTS = 1024 * 1024, 64, 20_000
STARTER = Path(__file__).parent / "starter_icons"
_NAME = re.compile(r"[^\W_][\w .-]{0,99}|_[\w .-]{0,99}")


@dataclass(frozen=True, slots=True)
class Icon:
    category: str
    name: str
    format: str
    path: Path
    size: int
    updated_at: datetime

    @property
    def content_type(self) -> str:
        return CONTENT_TYPES[self.format]


class Icons:
    """The icons under `root` and, where it has none of a name, the starter set.

    Names are lower-cased; none leads out of the folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def find(self, category: str, name: str, format: str | None = None) -> Icon | None:
        """The icon of a name, in one format or in the first there is."""
        folder, stem = self._place(category, name)
        formats = (format,) if format else FORMATS
        for place in (folder, STARTER / category):
            for each in formats:
                icon = _icon(category, stem, place / f"{stem}.{each}")
                if icon is not None:
                    return icon
        return None

    def all(self, category: str | None = None) -> list[Icon]:
        """Every icon, by category and name, one of each name."""
        names = {
            (path.parent.name, path.stem)
            for root in (STARTER, self._root)
            for path in root.glob("*/*")
            if path.suffix[1:] in FORMATS and category in (None, path.parent.name)
            if _NAME.fullmatch(path.parent.name) and _NAME.fullmatch(path.stem)
        }
        found = [self.find(*name) for name in sorted(names)]
        return [icon for icon in found if icon is not None]

    def keep(self, category: str, name: str, content: bytes) -> Icon:
        """Keep an icon; its type is what the content is. Raises where it is none, or too large."""
        folder, stem = self._place(category, name)
        if len(content) >= MAX_BYTES:
            raise LimitExceeded("an icon must be smaller than 5 MiB", fields=["content"], limit=MAX_BYTES)
        format = format_of(content)
        if format == "svg":
            content = clean(content)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{stem}.{format}"
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".", suffix=".new")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        icon = _icon(category, stem, path)
        assert icon is not None
        return icon

    def _place(self, category: str, name: str) -> tuple[Path, str]:
        for field, value in (("category", category), ("name", name)):
            if not _NAME.fullmatch(value) or value.endswith((".", " ")):
                raise BadUserInput(
                    f"{field} may hold letters, digits, space, _, . and -, and not start with a dot",
                    fields=[field],
                )
        return self._root / category, name.lower()


def _icon(category: str, name: str, path: Path) -> Icon | None:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    changed = datetime.fromtimestamp(found.st_mtime, UTC).replace(tzinfo=None)
    return Icon(category, name, path.suffix[1:], path, found.st_size, changed)


def format_of(content: bytes) -> str:
    """The format that the content has, whatever it was called."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if b"<svg" in content[:4096]:
        return "svg"
    raise BadUserInput("the content is no PNG, JPEG or SVG", fields=["content"])


def clean(content: bytes) -> bytes:
    """An SVG without scripts and outside references.

    What the cleaning library could be made to labour on (its output grows with the square of the depth)
    is refused first, by a parser that stops at the first offence.
    """
    if len(content) > MAX_SVG_BYTES:
        raise LimitExceeded("an SVG must not exceed 1 MiB", fields=["content"], limit=MAX_SVG_BYTES)
    depth = elements = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, elements
        if elements == 0 and name != "svg":
            raise BadUserInput("the outermost element is no svg", fields=["content"])
        depth, elements = depth + 1, elements + 1
        if depth > MAX_DEPTH or elements > MAX_ELEMENTS:
            raise BadUserInput("the SVG has too many or too deeply nested elements", fields=["content"])

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1

    def doctype(*_: object) -> None:
        raise BadUserInput("an SVG with a document type is not taken", fields=["content"])

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(content, True)
        cleaned: bytes = py_svg_hush.filter_svg(content)
    except (expat.ExpatError, ValueError):
        raise BadUserInput("the content is no well-formed SVG", fields=["content"]) from None
    # The cleaner lays the text out anew; where it took nothing away, the file stays as it was sent.
    return content if _parts(cleaned) == _parts(content) else cleaned


def _parts(content: bytes) -> list[object]:
    """What an SVG says, without how it is laid out."""
    parts: list[object] = []
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, attributes: parts.append((name, attributes))
    parser.EndElementHandler = lambda name: parts.append(name)
    parser.CharacterDataHandler = lambda text: parts.append(text.strip()) if text.strip() else None
    parser.ProcessingInstructionHandler = lambda *instruction: parts.append(instruction)
    parser.Parse(content, True)
    return parts
