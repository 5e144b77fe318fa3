"""The imports between folders and between their rooms: `python -m tests.house.drawing` draws them."""

from collections import defaultdict
from graphlib import TopologicalSorter

import grimp

from tests.house.sources import FOLDERS

DRAWN = ("schema", "stores")  # the folders whose rooms are drawn one by one


def imports_between_rooms() -> dict[str, set[str]]:
    """By room, such as `stores.contracts`, the rooms that its modules import."""
    graph = grimp.build_graph(*FOLDERS, cache_dir=None)
    imports: dict[str, set[str]] = defaultdict(set)
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            importer_room, imported_room = _room(module), _room(imported)
            if importer_room != imported_room:
                imports[importer_room].add(imported_room)
    return dict(imports)


def _room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def folder_of(room: str) -> str:
    return room.partition(".")[0]


def draw_imports() -> str:
    """A Mermaid flowchart in which every arrow is an import that exists."""
    arrows: set[tuple[str, str]] = set()
    for importer, imported_rooms in imports_between_rooms().items():
        for imported in imported_rooms:
            source, target = (
                room if folder_of(room) in DRAWN else folder_of(room) for room in (importer, imported)
            )
            if folder_of(source) != folder_of(target):
                source, target = folder_of(source), folder_of(target)
            if source != target:
                arrows.add((source, target))
    lines = ["flowchart TD"]
    for folder in DRAWN:
        rooms = sorted({room for arrow in arrows for room in arrow if room.startswith(f"{folder}.")})
        lines += [f"  subgraph {folder}", *(f"    {room}[{room.split('.')[1]}]" for room in rooms), "  end"]
    lines += [f"  {source} --> {target}" for source, target in sorted(arrows)]
    return "\n".join(lines)


def find_cycle(imports: dict[str, set[str]]) -> None:
    """Raise `graphlib.CycleError`, with the rooms of the cycle, if an import runs back up."""
    TopologicalSorter(imports).prepare()


if __name__ == "__main__":
    print(draw_imports())
