"""Names say what they hold, and what a checker ignores has a reason."""

import ast
import re

from tests.house.sources import FOLDERS, Module, modules

ALL_FOLDERS = (*FOLDERS, "tests", "bench")
# Names of actions in place of the things that they lead to.
DIALECT = {"found", "each", "asked", "given", "kept", "told", "answers", "made"}
SUPPRESSION = re.compile(r"# (?:noqa: [A-Z0-9]+(?:, [A-Z0-9]+)*|type: ignore\[[a-z-]+\])")


def test_names_are_those_of_things() -> None:
    named = {
        f"{module.name}:{node.lineno}: {name}"
        for module in modules(*ALL_FOLDERS)
        for node in ast.walk(module.parse())
        if isinstance(node, ast.Name | ast.arg | ast.FunctionDef | ast.AsyncFunctionDef)
        and (name := _assigned_name(node)) in DIALECT
    }
    assert named == set()


def _assigned_name(node: ast.Name | ast.arg | ast.FunctionDef | ast.AsyncFunctionDef) -> str | None:
    match node:
        case ast.Name():
            return node.id if isinstance(node.ctx, ast.Store) else None
        case ast.arg():
            return node.arg
    return node.name


def test_what_a_checker_ignores_has_a_reason() -> None:
    """After the comment, or in a comment above the line or above several such lines."""
    unexplained = {
        f"{module.name}:{number + 1}"
        for module in modules(*ALL_FOLDERS)
        for number, line in enumerate(module.lines)
        if SUPPRESSION.search(line) and not _is_explained(module, number)
    }
    assert unexplained == set()


def _is_explained(module: Module, number: int) -> bool:
    *_, after = SUPPRESSION.split(module.lines[number])
    if after.strip(" #-"):
        return True
    while SUPPRESSION.search(module.lines[number]):
        number -= 1
    return module.lines[number].lstrip().startswith("# ")
