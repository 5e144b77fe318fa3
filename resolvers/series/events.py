"""The events of machines: pages of those of one, of several together, and of all in a database."""

import heapq
from asyncio import gather
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, takewhile
from typing import Any, NamedTuple

from loaders.readings import Readings
from resolvers.context import Context
from resolvers.hints import Hinted
from resolvers.limits import DAY
from resolvers.rules.cursors import Cursors
from resolvers.rules.paging import Page, page_size
from resolvers.series.absence import hint_at_classes
from resolvers.series.local_time import localize
from resolvers.series.machines import HasMachineId, get_readings
from resolvers.series.ranges import RequestedRange, resolve_range
from stores.contracts.errors import BadUserInput
from stores.contracts.occurrences import make_occurrence_order
from stores.contracts.samples import END_OF_TIME, Occurrence
from stores.contracts.series_queries import OccurrencePosition, Source, SourceQuery
from stores.entities.machine_events import (
    EVENTS,
    SOURCES,
    EventConditions,
    MachineEvent,
    find_source_number,
    list_sources_of,
    make_event_of,
)

MAX_MACHINES = 1000
FIELD_CLASSES = frozenset(source.field for source in SOURCES if not source.tags)
LAST_DAY = RequestedRange(last=DAY)


@dataclass(frozen=True, slots=True)
class EventRequest:
    """The requested part of a list of events: at most `first` behind the cursor `after`.

    `machines` are those whose events are requested, None for all of the list. Events that lie further in the
    future than clocks may be ahead are among them with `include_future` only.
    """

    first: int | None = None
    after: str | None = None
    range: RequestedRange | None = None
    conditions: EventConditions = field(default_factory=EventConditions)
    machines: Sequence[str] | None = None
    include_future: bool = False


class EventGroup(NamedTuple):
    """Machines (None: all points) whose series are in one place; its name is unique among such groups."""

    name: str
    readings: Readings
    machines: tuple[str, ...] | None


class _Entry(NamedTuple):
    """An occurrence, and the name of its group."""

    occurrence: Occurrence
    group: str


async def list_events_of_machine(
    context: Context, machine: HasMachineId, request: EventRequest
) -> Page[MachineEvent] | Hinted:
    """Return a page of the events of a machine, newest first; with a hint at classes that it has not written.

    The first pages of machines with the same arguments are one query, and so are their numbers.
    """
    request = replace(request, range=await localize(context, machine, request.range or LAST_DAY))
    listing = _Listing(context, request, ("machine", machine.organization_id or "", machine.machine_id))
    readings, sources = get_readings(context, machine), listing.sources
    group = EventGroup("", readings, (machine.machine_id,))
    if request.after is None:
        loader = readings.last_by_machine(sources, listing.limit, listing.start, listing.stop)
        entries = [_Entry(occurrence, "") for occurrence in await loader.load(machine.machine_id)]
        page = listing.make_page(entries, [group])
        return await find_classes(page, request, readings, machine.organization_id, [machine.machine_id])
    return await listing.load_page([group])


async def find_classes(
    page: Page[MachineEvent],
    request: EventRequest,
    readings: Readings,
    organization_id: str | None,
    machines: Sequence[str],
) -> Page[MachineEvent] | Hinted:
    """Return the first page of a list, with a hint if it is empty and there were never such classes."""
    classes = request.conditions.classes
    if page.nodes or request.after is not None or not classes or not machines:
        return page
    if not FIELD_CLASSES.isdisjoint(classes):
        return page
    loader = readings.written((("event_class", classes),))
    if any(await loader.load_many([(machine, EVENTS.measurement, EVENTS.field) for machine in machines])):
        return page
    return hint_at_classes(organization_id, machines, classes, page)


async def list_events_of_groups(
    context: Context, groups: Sequence[EventGroup], request: EventRequest, name: Sequence[str]
) -> Page[MachineEvent]:
    """Return a page of the events of all machines of some groups together, newest first.

    `name` identifies the list. Lists of one place that are requested together are one query.
    """
    listing = _Listing(context, request, name)
    if request.machines is not None:
        groups = [group._replace(machines=_select(group, request.machines)) for group in groups]
    return await listing.load_page([group for group in groups if group.machines != ()])


def _select(group: EventGroup, machines: Sequence[str]) -> tuple[str, ...]:
    if len(machines) > MAX_MACHINES:
        raise BadUserInput(
            f"`machines` has more than {MAX_MACHINES} ids. Send fewer at a time.", fields=["machines"]
        )
    wanted = dict.fromkeys(machines)
    if group.machines is None:
        return tuple(wanted)
    return tuple(machine for machine in group.machines if machine in wanted)


class _Listing:
    """One list of events: its sources, its range, and where the requested page begins."""

    def __init__(self, context: Context, request: EventRequest, name: Sequence[str]) -> None:
        self._cursors = Cursors(context, ("events", *name))
        self._size, self._position = page_size(request.first), self._cursors.decode(request.after)
        self.limit = self._size + 1  # which tells whether there are more
        self.sources = list_sources_of(request.conditions)
        self._numbers = list(map(find_source_number, self.sources))
        self.start, self.stop = resolve_range(context, request.range or LAST_DAY, open_ended=True)
        if self.stop == END_OF_TIME and not request.include_future:
            self.stop = context.viewer.series.find_end_of_present(context.now)

    async def load_page(self, groups: Sequence[EventGroup]) -> Page[MachineEvent]:
        loads = (
            group.readings.last(self.sources, self.limit, self.start, self.stop).load(
                (group.machines, self._find_position(group.name))
            )
            for group in groups
        )
        entries = (
            [_Entry(occurrence, group.name) for occurrence in page]
            for group, page in zip(groups, await gather(*loads), strict=True)
        )
        return self.make_page(heapq.merge(*entries, key=_make_entry_order), groups)

    def make_page(self, entries: Iterable[_Entry], groups: Sequence[EventGroup]) -> Page[MachineEvent]:
        """Return the page that begins with these entries, which are in the order of the list."""
        first = list(islice(entries, self.limit))
        page = first[: self._size]
        events = [make_event_of(entry.occurrence, self.sources) for entry in page]
        indexes = {id(event): index for index, event in enumerate(events)}
        return Page(
            nodes=events,
            encode_cursor=lambda event: self._encode_cursor(page, indexes[id(event)]),
            has_next=len(first) > self._size,
            has_previous=self._position is not None,
            count=lambda: self._count(groups),
        )

    async def _count(self, groups: Sequence[EventGroup]) -> int:
        return sum(
            await gather(*(count_occurrences(group, self.sources, self.start, self.stop) for group in groups))
        )

    def _encode_cursor(self, page: Sequence[_Entry], index: int) -> str:
        """Return the cursor of an entry: its place in the order, and how many of its group have it."""
        entry, order = page[index], _make_entry_order(page[index])
        time, machine, source, _, tags = entry.occurrence
        earlier = takewhile(lambda i: _make_entry_order(page[i]) == order, range(index, -1, -1))
        passed = sum(1 for _ in earlier)
        before = self._find_position(entry.group)
        if before is not None and make_occurrence_order(before) == order[0]:
            passed += before.passed or 0
        return self._cursors.encode((time, [self._numbers[source], machine, list(tags), entry.group, passed]))

    def _find_position(self, group: str) -> OccurrencePosition | None:
        """Return where the page begins in the list of a group.

        Of entries with one place in the order, those of other groups come before or after those of this one,
        as their names do.
        """
        if self._position is None:
            return None
        time, (number, machine, tags, name, passed) = self._position
        source = sum(other < number for other in self._numbers)
        if number not in self._numbers:  # the conditions are others than those of the page before
            return OccurrencePosition(time, source, None, (), 0)
        if name != group:
            passed = None if group < name else 0
        return OccurrencePosition(time, source, machine, tuple(tags), passed)


async def count_occurrences(group: EventGroup, sources: tuple[Source, ...], start: int, stop: int) -> int:
    """Return how many values the sources have in a group."""
    if group.machines is None:
        counts = await group.readings.series.counts(SourceQuery(sources, None, start, stop))
        return sum(counts.values())
    return sum(await group.readings.counts(sources, start, stop).load_many(group.machines))


def _make_entry_order(entry: _Entry) -> tuple[Any, str]:
    return make_occurrence_order(entry.occurrence), entry.group
