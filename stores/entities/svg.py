"""Checking and cleaning of SVG files that clients send."""

from xml.parsers import expat

import py_svg_hush

from stores.contracts.errors import BadUserInput, LimitExceeded

MAX_SVG_BYTES = 1024 * 1024
MAX_DEPTH = 64
MAX_ELEMENTS = 20_000
MAX_NAMESPACES = 32  # declared on an element and on those around it
DTD = ("http://www.w3.org/", "https://www.w3.org/")


def sanitize_svg(content: bytes) -> bytes:
    """An SVG without scripts and outside references. Raises `BadUserInput` or `LimitExceeded`.

    The time of the cleaning library grows with the number of elements times the depth and times the
    namespaces in scope. A parser that stops at the first violation therefore limits all three before.
    """
    if len(content) > MAX_SVG_BYTES:
        raise LimitExceeded(
            "svg_bytes", MAX_SVG_BYTES, len(content), "An SVG must be smaller.", fields=["content"]
        )
    try:
        parts = _SvgParser(content).parts
        cleaned: bytes = py_svg_hush.filter_svg(content)
    except (expat.ExpatError, ValueError):
        raise BadUserInput("The content is not a well-formed SVG.", fields=["content"]) from None
    # The cleaner changes the layout of the text. If it removed nothing, the file is stored as it was sent.
    return content if _SvgParser(cleaned).parts == parts else cleaned


class _SvgParser:
    """Reads an SVG in one pass. `parts` is what it says, without its layout and its comments."""

    def __init__(self, content: bytes) -> None:
        self.parts: list[object] = []
        self._elements = 0
        self._namespaces: list[int] = []  # in scope, for each open element
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start_element
        parser.EndElementHandler = self._end_element
        parser.CharacterDataHandler = self._read_text
        parser.ProcessingInstructionHandler = lambda *instruction: self.parts.append(instruction)
        parser.StartDoctypeDeclHandler = self._check_doctype
        parser.Parse(content, True)

    def _start_element(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements == 1 and name != "svg":
            raise BadUserInput("The outermost element is not svg.", fields=["content"])
        declared = sum(key == "xmlns" or key.startswith("xmlns:") for key in attributes)
        self._namespaces.append(declared + (self._namespaces[-1] if self._namespaces else 0))
        if len(self._namespaces) > MAX_DEPTH or self._elements > MAX_ELEMENTS:
            raise BadUserInput("The SVG has too many or too deeply nested elements.", fields=["content"])
        if self._namespaces[-1] > MAX_NAMESPACES:
            raise BadUserInput("The SVG declares too many namespaces.", fields=["content"])
        self.parts.append((name, attributes))

    def _end_element(self, name: str) -> None:
        self._namespaces.pop()
        self.parts.append(name)

    def _read_text(self, text: str) -> None:
        if text.strip():
            self.parts.append(text.strip())

    def _check_doctype(self, name: str, system_id: str | None, public_id: str | None, subset: int) -> None:
        """A DOCTYPE as drawing programs write it passes; one with an internal subset can declare entities."""
        if subset:
            raise BadUserInput("An SVG must not declare entities.", fields=["content"])
        if system_id is not None and not system_id.startswith(DTD):
            self.parts.append(system_id)  # the cleaner removes it
