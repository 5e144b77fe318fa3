"""The resolvers of an entity import what all entities share, and not each other.

A layers contract has to name each module, so that a new entity would have to change it; here it need not.
"""

import ast
import pkgutil
from pathlib import Path

import resolvers

SHARED = {
    *("scopes", "rules", "context", "granted_store", "series_access", "budgets", "machine_owners"),
    *("metering", "grants", "limits"),
}
# Relations between entities, and questions about series: the import contracts place them above the entities.
RELATIONS = {"connectors", "device_lists", "event_bindings", "key_administration", "series"}


def test_entities_do_not_import_each_other() -> None:
    entities = {module.name for module in pkgutil.iter_modules(resolvers.__path__)} - SHARED - RELATIONS
    assert "devices" in entities
    arrows = {
        (name, imported)
        for name in entities
        for imported in imported_rooms(Path(resolvers.__path__[0]) / f"{name}.py")
        if imported not in SHARED
    }
    assert arrows == set()


def imported_rooms(path: Path) -> set[str]:
    """The modules and packages of `resolvers` that a module imports from."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("resolvers.")}
