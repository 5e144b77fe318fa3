"""The project's own Python modules, parsed."""

import ast
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).parents[2]
# From top to bottom: a folder imports only the folders after it.
FOLDERS = ("compat_rest", "schema", "resolvers", "loaders", "stores")


@dataclass(frozen=True)
class Module:
    """A module of one of the five folders; `path` is relative to the project."""

    path: Path
    text: str

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def name(self) -> str:
        return ".".join(self.path.with_suffix("").parts).removesuffix(".__init__")

    def parse(self) -> ast.Module:
        return ast.parse(self.text)


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """The committed modules of these folders, all five if none is named."""
    command = [
        "git",
        "ls-files",
        "-co",
        "--exclude-standard",
        *(f"{folder}/*.py" for folder in folders or FOLDERS),
    ]
    paths = subprocess.run(
        command, cwd=PROJECT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    existing = (Path(path) for path in sorted(set(paths)) if (PROJECT / path).exists())
    return tuple(Module(path, (PROJECT / path).read_text()) for path in existing)
