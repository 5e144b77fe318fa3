"""What machines write: measurements, fields, tags and classes of events, each from when to when."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from resolvers.context import Context
from resolvers.series.local_time import localize
from resolvers.series.machines import HasMachineId, get_readings, list_machine_ids
from resolvers.series.ranges import RequestedRange, resolve_range
from stores.contracts.extents import SeriesExtent
from stores.contracts.samples import END_OF_TIME, Kind
from stores.entities.applications import Application
from stores.entities.machine_events import SOURCES

MAX_TAG_VALUES = 100  # that are listed of one tag


@dataclass(frozen=True, slots=True)
class WrittenTag:
    """A tag of a measurement, the first of its values in their order, and how many it has altogether."""

    name: str
    values: list[str]
    value_count: int


@dataclass(frozen=True, slots=True)
class WrittenField:
    """A field: the kind of its values, the names of its tags, and its first and last time (nanoseconds)."""

    name: str
    kind: Kind
    tags: list[str]
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class WrittenMeasurement:
    """A measurement, with the times of its first and its last sample in nanoseconds."""

    name: str
    fields: list[WrittenField]
    tags: list[WrittenTag]
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class WrittenEventClass:
    """A class of events as `classes` selects it, and the measurement that the events are in."""

    name: str
    source: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class MachineCatalogue:
    """What machines have written, each list in the order of names."""

    measurements: list[WrittenMeasurement]
    event_classes: list[WrittenEventClass]


async def get_catalogue(
    context: Context, machine: HasMachineId, requested: RequestedRange | None
) -> MachineCatalogue:
    """Return what a machine has written in a range. All machines with the same range are one query."""
    start, stop = await _resolve_range(context, machine, requested)
    return make_catalogue(await get_readings(context, machine).extents(start, stop).load(machine.machine_id))


async def get_catalogue_of_application(
    context: Context, application: Application, requested: RequestedRange | None
) -> MachineCatalogue:
    """Return what all devices of an application have written. All applications are one query."""
    start, stop = await _resolve_range(context, application, requested)
    organization_id = application.organization_id
    machines = await list_machine_ids(context, organization_id, [application.application_id])
    loader = context.viewer.readings(organization_id).extents(start, stop)
    return make_catalogue(chain.from_iterable(await loader.load_many(machines)))


async def _resolve_range(
    context: Context, owner: HasMachineId | Application, requested: RequestedRange | None
) -> tuple[int, int]:
    if requested is None:
        return -END_OF_TIME, END_OF_TIME
    return resolve_range(context, await localize(context, owner, requested), open_ended=True)


def make_catalogue(extents: Iterable[SeriesExtent]) -> MachineCatalogue:
    """Return what series there are, as a catalogue."""
    by_measurement: defaultdict[str, list[SeriesExtent]] = defaultdict(list)
    for extent in extents:
        by_measurement[extent.measurement].append(extent)
    measurements = [_make_measurement(name, series) for name, series in sorted(by_measurement.items())]
    classes = sorted(_list_event_classes(by_measurement), key=lambda written: (written.name, written.source))
    return MachineCatalogue(measurements, classes)


def _make_measurement(name: str, series: Sequence[SeriesExtent]) -> WrittenMeasurement:
    by_field: defaultdict[str, list[SeriesExtent]] = defaultdict(list)
    values: defaultdict[str, set[str]] = defaultdict(set)
    for extent in series:
        by_field[extent.field].append(extent)
        for tag, value in extent.tags:
            values[tag].add(value)
    fields = [
        WrittenField(field, _find_latest(of_field).kind, _list_tags(of_field), *_find_times(of_field))
        for field, of_field in sorted(by_field.items())
    ]
    tags = [WrittenTag(tag, sorted(v)[:MAX_TAG_VALUES], len(v)) for tag, v in sorted(values.items())]
    return WrittenMeasurement(name, fields, tags, *_find_times(series))


def _list_event_classes(by_measurement: dict[str, list[SeriesExtent]]) -> Iterable[WrittenEventClass]:
    """Yield the classes of events: the name of a field, or the values of the tag of the event's class."""
    for source in SOURCES:
        by_class: defaultdict[str, list[SeriesExtent]] = defaultdict(list)
        for extent in by_measurement.get(source.measurement, ()):
            class_ = dict(extent.tags).get("event_class") if source.tags else source.field
            if extent.field == source.field and class_ is not None:
                by_class[class_].append(extent)
        for class_, of_class in by_class.items():
            yield WrittenEventClass(class_, source.measurement, *_find_times(of_class))


def _list_tags(series: Sequence[SeriesExtent]) -> list[str]:
    return sorted({tag for extent in series for tag, _ in extent.tags})


def _find_latest(series: Sequence[SeriesExtent]) -> SeriesExtent:
    return max(series, key=lambda extent: extent.last)


def _find_times(series: Sequence[SeriesExtent]) -> tuple[int, int]:
    return min(extent.first for extent in series), max(extent.last for extent in series)
