"""The Markdown files of the documentation, their code blocks, and their generated parts."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w*) ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GENERATED = re.compile(r"(<!-- generated: ([\w-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)?(?:#([\w-]+))?\)")


@dataclass(frozen=True)
class Block:
    """A fenced code block. `options` follow the language; `line` is where it begins."""

    path: Path
    line: int
    language: str
    options: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(PROJECT)}:{self.line}"


def read_variables(block: Block) -> dict[str, Any]:
    """The variables of the operation after a block, which is `json variables` if there are some."""
    return dict(json.loads(block.text)) if "variables" in block.options else {}


def list_documents() -> list[Path]:
    """README, CONTRIBUTING, CHANGELOG and everything in docs/."""
    names = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
    return [*(PROJECT / name for name in names), *sorted((PROJECT / "docs").rglob("*.md"))]


def read_blocks(path: Path) -> list[Block]:
    """The code blocks of a document in their order."""
    text = path.read_text()
    return [
        Block(path, text.count("\n", 0, match.start()) + 1, match[1], tuple(match[2].split()), match[3])
        for match in FENCE.finditer(text)
    ]
