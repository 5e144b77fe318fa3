"""The recipe of CONTRIBUTING.md: a new entity is three new files and two changed ones."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "tests" / "recipe"
PACKAGES = ("compat_rest", "schema", "resolvers", "loaders", "stores")


def test_a_new_entity_is_three_new_files_and_two_changed_ones(tmp_path: Path) -> None:
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    new = [path for package in PACKAGES for path in (RECIPE / package).rglob("*.py")]
    assert len(new) == 3
    for path in new:
        shutil.copy(path, tmp_path / path.relative_to(RECIPE))
    change(
        tmp_path / "stores/entities/registry.py",
        imports="from stores.entities.maintenance_windows import MaintenanceWindow",
        added={"= (\n    Organization,": "= (\n    MaintenanceWindow,\n    Organization,"},
    )
    change(
        tmp_path / "schema/types/root.py",
        imports="from schema.types.maintenance_windows import"
        " MaintenanceWindowMutations, MaintenanceWindowQueries",
        added={
            "class QueryRoot(\n": "class QueryRoot(\n    MaintenanceWindowQueries,\n",
            "class MutationRoot(\n": "class MutationRoot(\n    MaintenanceWindowMutations,\n",
        },
    )
    shutil.copy(RECIPE / "use.py", tmp_path)
    command = [sys.executable, "use.py", "data"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def change(path: Path, *, imports: str, added: dict[str, str]) -> None:
    """Add an import, and lines at places that occur once."""
    text = path.read_text().replace("\nfrom ", f"\n{imports}\nfrom ", 1)
    for old, new in added.items():
        assert text.count(old) == 1, (path, old)
        text = text.replace(old, new)
    path.write_text(text)
