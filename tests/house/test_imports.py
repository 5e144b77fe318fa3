"""No dependency shares a name with a folder, and no import between folders or rooms goes back up."""

import re
from importlib.metadata import packages_distributions

from tests.house.drawing import draw_imports, find_cycle, folder_of, imports_between_rooms
from tests.house.sources import FOLDERS, PROJECT

LOCKED = re.compile(r"^([A-Za-z0-9_.-]+)==", re.MULTILINE)


def test_no_locked_dependency_has_a_top_level_module_named_like_a_folder() -> None:
    distributions = packages_distributions()
    locked = {
        name.lower().replace("_", "-")
        for file in ("runtime", "dev")
        for name in LOCKED.findall((PROJECT / ".lock" / f"{file}.txt").read_text())
    }
    installed = {name.lower().replace("_", "-") for names in distributions.values() for name in names}
    assert len(locked & installed) > 50  # the rest is for other systems
    assert {folder: set(distributions.get(folder, [])) - {"sync-gateway"} for folder in FOLDERS} == {
        folder: set() for folder in FOLDERS
    }


def test_no_import_between_folders_runs_back_up() -> None:
    make_backup = {
        (importer, imported)
        for importer, rooms in imports_between_rooms().items()
        for imported in rooms
        if FOLDERS.index(folder_of(importer)) > FOLDERS.index(folder_of(imported))
    }
    assert make_backup == set()


def test_no_import_between_the_rooms_of_a_folder_runs_back_up() -> None:
    find_cycle(imports_between_rooms())


def test_the_drawing_shows_rooms_and_folders() -> None:
    drawing = draw_imports()
    assert "  schema.server --> schema.types" in drawing
    assert "  schema --> resolvers" in drawing
    assert "schema.engine --> schema.types" not in drawing
