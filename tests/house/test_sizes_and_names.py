"""Modules and functions stay short, and a class's name says which class it is.

A module of more than 300 lines, or a function of more than 40, has a comment `# Long because ...`: in the
module's first 30 lines, or in the function's lines or the line before it.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator

from tests.house.sources import FOLDERS, Module, modules

MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 40
REASON = "# Long because "
ALL = (*FOLDERS, "tests", "bench")


def test_modules_are_short_or_say_why_not() -> None:
    long = {
        module.name: len(module.lines)
        for module in modules(*ALL)
        if len(module.lines) > MAX_MODULE_LINES and not _has_reason(module.lines[:30])
    }
    assert long == {}


def test_functions_are_short_or_say_why_not() -> None:
    long = {
        f"{module.name}.{function.name}": size
        for module in modules(*ALL)
        for function in _functions(module.parse())
        if (size := _size(function)) > MAX_FUNCTION_LINES
        and not _has_reason(module.lines[function.lineno - 2 : function.end_lineno])
    }
    assert long == {}


def test_a_class_name_is_used_once_except_by_an_entity_and_its_type() -> None:
    modules_by_class: dict[str, list[Module]] = defaultdict(list)
    for module in modules():
        for node in ast.walk(module.parse()):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                modules_by_class[node.name].append(module)
    repeated = {
        name: sorted(module.name for module in modules)
        for name, modules in modules_by_class.items()
        if len(modules) > 1 and not _are_entity_and_type(modules)
    }
    assert repeated == {}


def _are_entity_and_type(modules: list[Module]) -> bool:
    """Whether the classes are an entity, or a record inside of one, and its GraphQL type."""
    rooms = sorted(module.name.rpartition(".")[0] for module in modules)
    return rooms in (["schema.types", "stores.entities"], ["resolvers", "schema.types"])


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _size(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function without its decorators and its docstring."""
    assert function.end_lineno is not None
    first = function.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = (first.end_lineno or 0) - first.lineno + 1 if is_docstring else 0
    return function.end_lineno - function.lineno + 1 - docstring


def _has_reason(lines: list[str]) -> bool:
    return any(REASON in line for line in lines)
