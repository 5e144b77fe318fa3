"""What a machine has never written, and the names nearest to what a request asks for."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

from loaders.batching import load_by_group
from resolvers.context import Context
from resolvers.hints import Absence, Hinted
from resolvers.series.catalogues import make_catalogue
from resolvers.series.machines import HasMachineId, UnregisteredMachine, get_readings
from resolvers.series.tag_sets import ALL_SERIES, TagSelection
from stores.contracts.extents import SeriesExtent
from stores.contracts.samples import Kind, Tags, Where
from stores.entities.machine_events import EVENTS

MAX_CLOSEST = 3
MIN_SIMILARITY = 0.5  # a ratio of `difflib`: `pieces` is near `pieces_produced`
MAX_CANDIDATES = 500  # that one name is compared with
MAX_NAME = 100  # characters of a name that is compared or repeated in a message


async def find_written_kind(
    context: Context, machine: HasMachineId, measurement: str, field: str, where: Where
) -> Kind | None:
    """Return the kind of a field of a machine, or None if it has never written the field with such tags.

    All machines, measurements and fields that a request asks about together are one query of the store.
    """
    loader = get_readings(context, machine).written(where)
    return await loader.load((machine.machine_id, measurement, field))


async def has_written(
    context: Context, machine: HasMachineId, measurement: str, fields: Sequence[str], where: Where
) -> bool:
    """Return whether a machine has ever written one of some fields. The query is that of the kinds."""
    loader = get_readings(context, machine).written(where)
    return any(await loader.load_many([(machine.machine_id, measurement, field) for field in fields]))


def hint_at_absence(
    machine: HasMachineId,
    measurement: str,
    field: str,
    tags: TagSelection = ALL_SERIES,
    value: Any = None,
) -> Hinted:
    """Return a value, null for a field that the machine has never written, with a hint."""
    organization_id, machine_id = machine.organization_id, machine.machine_id
    return Hinted(value, [Absence(organization_id, machine_id, measurement, field, tags.where, tags.by)])


def hint_at_tags(hinted: Hinted, all_tags: Iterable[Tags]) -> Hinted:
    """Return `hinted`, without its hint if there are series with each tag by which they are grouped."""
    names = {name for tags in all_tags for name, _ in tags}
    return hinted._replace(absences=()) if names.issuperset(hinted.absences[0].by) else hinted


def hint_at_classes(
    organization_id: str | None, machines: Sequence[str], classes: Sequence[str], value: Any
) -> Hinted:
    """Return a value with the hint that machines have never written events of some classes."""
    events = Absence(organization_id, machines[0], EVENTS.measurement, EVENTS.field)
    return Hinted(value, [events._replace(classes=tuple(classes), others=tuple(machines[1:]))])


async def describe_absences(
    context: Context, absences: Sequence[Absence]
) -> list[tuple[str, list[str]] | None]:
    """Return for each absence a message and the closest names; None if what it names exists.

    The names are those that the machine itself has written: its viewer may see them all. There is one query
    for each organization. If it fails, there are messages without names.
    """

    async def load(indexes: list[int]) -> list[list[SeriesExtent] | Exception]:
        chosen = [absences[i] for i in indexes]
        machine = UnregisteredMachine(chosen[0].machine_id, chosen[0].organization_id)
        loader = get_readings(context, machine).extents()
        ids = list(dict.fromkeys(id_ for absence in chosen for id_ in (absence.machine_id, *absence.others)))
        by_id = dict(zip(ids, await loader.load_settled(ids), strict=True))
        return [_join([by_id[id_] for id_ in (absence.machine_id, *absence.others)]) for absence in chosen]

    all_extents = await load_by_group([absence.organization_id for absence in absences], load)
    descriptions: list[tuple[str, list[str]] | None] = []
    for absence, extents in zip(absences, all_extents, strict=True):
        await context.turn.pause()
        if absence.classes:
            descriptions.append(_describe_classes(absence, extents))
        elif isinstance(extents, Exception):
            descriptions.append((_name_field(absence), []))
        else:
            descriptions.append(_describe(absence, extents))
    return descriptions


def _join(all_extents: Sequence[list[SeriesExtent] | Exception]) -> list[SeriesExtent] | Exception:
    joined: list[SeriesExtent] = []
    for extents in all_extents:
        if isinstance(extents, Exception):
            return extents
        joined += extents
    return joined


def _describe_classes(
    absence: Absence, extents: Sequence[SeriesExtent] | Exception
) -> tuple[str, list[str]] | None:
    """Return that there are no events of some classes, unless there are or the store cannot tell."""
    if isinstance(extents, Exception):
        return None
    written = {event_class.name for event_class in make_catalogue(extents).event_classes}
    if not written.isdisjoint(absence.classes):
        return None
    machines = len(absence.others) + 1
    who = (
        f"None of {machines} machines has ever"
        if absence.others
        else f"{_shorten(absence.machine_id)} has never"
    )
    message = (
        f"{who} written events of the class {' or '.join(map(_shorten, absence.classes[:MAX_CLOSEST]))}."
    )
    closest = [match for name in absence.classes[:MAX_CLOSEST] for match in _find_closest(name, written)]
    return message, list(dict.fromkeys(closest))[:MAX_CLOSEST]


def _describe(absence: Absence, extents: Sequence[SeriesExtent]) -> tuple[str, list[str]] | None:
    of_measurement = [extent for extent in extents if extent.measurement == absence.measurement]
    of_field = [extent for extent in of_measurement if extent.field == absence.field]
    if not extents:
        return f"{_shorten(absence.machine_id)} has never written anything.", []
    if not of_measurement:
        names = {extent.measurement for extent in extents}
        return _name_field(absence), _find_closest(absence.measurement, names)
    if not of_field:
        elsewhere = sorted({extent.measurement for extent in extents if extent.field == absence.field})
        if elsewhere:
            message = f"{_name_field(absence)} It has written that field in other measurements."
            return message, [f"{name}.{absence.field}" for name in elsewhere[:MAX_CLOSEST]]
        return _name_field(absence), _find_closest(absence.field, {extent.field for extent in of_measurement})
    return _describe_tags(absence, of_field)


def _describe_tags(absence: Absence, extents: Sequence[SeriesExtent]) -> tuple[str, list[str]] | None:
    """Return which tag, or which of its values, the series of a field do not have."""
    values: dict[str, set[str]] = {}
    for extent in extents:
        for name, value in extent.tags:
            values.setdefault(name, set()).add(value)
    subject = f"{_shorten(absence.measurement)}.{_shorten(absence.field)} of {_shorten(absence.machine_id)}"
    for name in (*dict(absence.where), *absence.by):
        if name not in values:
            return f"No series of {subject} has the tag {_shorten(name)}.", _find_closest(name, values)
    for name, allowed in absence.where:
        if values[name].isdisjoint(allowed):
            closest = [
                match for value in allowed[:MAX_CLOSEST] for match in _find_closest(value, values[name])
            ]
            message = f"No series of {subject} has such a value of the tag {_shorten(name)}."
            return message, list(dict.fromkeys(closest))[:MAX_CLOSEST]
    if absence.where:
        return f"No series of {subject} has this combination of tags.", []
    return None


def _name_field(absence: Absence) -> str:
    names = f"{_shorten(absence.measurement)}.{_shorten(absence.field)}"
    return f"{_shorten(absence.machine_id)} has never written {names}."


def _find_closest(name: str, names: Iterable[str]) -> list[str]:
    """Return the nearest names, without regard to case. Long names, whose comparison is slow, have none."""
    if len(name) > MAX_NAME:
        return []
    by_folded: dict[str, str] = {}
    for candidate in sorted(candidate for candidate in names if len(candidate) <= MAX_NAME)[:MAX_CANDIDATES]:
        by_folded.setdefault(candidate.casefold(), candidate)
    matches = get_close_matches(name.casefold(), by_folded, MAX_CLOSEST, MIN_SIMILARITY)
    return [by_folded[match] for match in matches]


def _shorten(name: str) -> str:
    return name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}..."
