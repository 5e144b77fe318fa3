"""Amounts of the table of costs: the declared maxima of lists, and what follows from arguments."""

from collections.abc import Callable
from typing import Any, get_args

from resolvers.rules.checks import find_zone
from resolvers.rules.ids import is_object_id
from resolvers.rules.paging import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from resolvers.series.alarm_lists import MAX_TOTALS
from resolvers.series.counters import find_plain_step
from resolvers.series.integrals import TimeFunction
from resolvers.series.machine_series import MAX_SERIES
from resolvers.series.ranges import RequestedRange, merge_time, to_nanoseconds
from resolvers.series.windows import HOUR, SHORTEST
from schema.engine.costs.declarations import Amount, Arguments, CostScope
from schema.types.device_lists import STATUS_TIME
from stores.contracts.errors import BadUserInput, LimitExceeded
from stores.contracts.samples import SECOND
from stores.entities.machine_events import STATE

MINUTE = 60 * SECOND

# Declared maxima of lists without a size argument
ORGANIZATIONS = 1_000  # of a deployment
APPLICATIONS = 20  # of an organization
DEVICES_OF_ORGANIZATION = 2_000  # of which questions about all devices read the machine ids
DEVICES_OF_APPLICATION = 1_000
DEVICES = 40_000  # of a deployment
USERS = GATEWAYS = 100  # of an organization
CONNECTORS = 20  # of an application, and templates of an organization
EVENT_CLASSES = FUNCTIONS = CONFIG_ENTRIES = PROPERTIES = 20  # of an application
CONNECTORS_OF_DEVICE = 5
BINDINGS_OF_DEVICE = 10
DEVICES_OF_EVENT_CLASS = 100
AUDIT_ENTRIES = 10_000  # of an organization, changes and refusals each
AUDIT_CHANGES = 20  # of an entry
SERVICES = API_KEYS = 100
ICONS = 500
MEASUREMENTS = FIELDS = 20  # of a machine, and of a measurement
EVENTS_OF_MACHINE = 10  # that are alarms
GROUPS = 20  # of the series of a machine
TAGS = 10
STATES = 10  # of a machine, each with its total
STATE_INTERVALS = 100  # objects of a timeline; its points are limited while the request runs
SAMPLES = 1_000  # objects of a series that is not aggregated, likewise


def count_page_nodes(arguments: Arguments, _: CostScope) -> int:
    """The nodes of a page. One that is too long fails before it is read."""
    first = arguments["first"]
    size = DEFAULT_PAGE_SIZE if first is None else int(first)
    return size if 0 <= size <= MAX_PAGE_SIZE else 0


def count_page_documents(arguments: Arguments, scope: CostScope) -> int:
    """One document more than the page has, which tells whether there are more."""
    return count_page_nodes(arguments, scope) + 1


def count_page_calls(arguments: Arguments, _: CostScope) -> int:
    """The calls for a page of several collections: the rest of one, and the others together."""
    return 1 if arguments["after"] is None else 2


def count_device_list_calls(calls: Amount) -> Callable[[Arguments, CostScope], int]:
    """The calls for a page of devices, and those for the statuses that select or order it."""

    def count(arguments: Arguments, scope: CostScope) -> int:
        if not _reads_statuses(arguments):
            return calls if isinstance(calls, int) else calls(arguments, scope)
        status = arguments["filter"] and arguments["filter"]["status"]
        return 2 if status is None or status["connected"] is None else 3

    return count


def count_listed_devices(maximum: int) -> Callable[[Arguments, CostScope], int]:
    """The documents that a page of devices reads: its own, or all if statuses select or order them."""
    return lambda arguments, scope: (
        maximum if _reads_statuses(arguments) else count_page_documents(arguments, scope)
    )


def count_listed_statuses(maximum: int) -> Callable[[Arguments, CostScope], int]:
    """The points that a page of devices reads: three of each device if statuses select or order them."""
    return lambda arguments, _: 3 * maximum if _reads_statuses(arguments) else 0


def _reads_statuses(arguments: Arguments) -> bool:
    """Whether the status of devices selects or orders them."""
    filter_, order = arguments["filter"], arguments["orderBy"]
    by_status = order is not None and order["field"].value == STATUS_TIME
    return by_status or (filter_ is not None and filter_["status"] is not None)


def count_totals(arguments: Arguments, _: CostScope) -> int:
    """The groups of a summary. One with too many fails before it is read."""
    first = int(arguments["first"])
    return first if 0 <= first <= MAX_TOTALS else 0


def count_calls_for_id(arguments: Arguments, _: CostScope) -> int:
    """An id that is no ObjectId is searched for first."""
    document_id = arguments.get("documentId")
    return 1 if document_id is None or is_object_id(document_id) else 2


def count_windows(arguments: Arguments, scope: CostScope) -> int:
    """The windows of one series. Samples that are not aggregated are limited while the request runs."""
    every = arguments["every"]
    if every is None:
        return count_comparisons(arguments, scope) if arguments.get("aggregate") is not None else 0
    length = max(_find_range_length(arguments, scope, now) for now in (scope.now, scope.now - MINUTE))
    count = _count_windows_of_length(length, every)
    return count_comparisons(arguments, scope) * count if count <= scope.limits.windows else 0


def count_comparisons(arguments: Arguments, _: CostScope) -> int:
    """How many ranges are read: one or, for a comparison, two."""
    return 1 if arguments.get("compare") is None else 2


def count_queries(arguments: Arguments, scope: CostScope) -> int:
    """How often the points of a series are read.

    Aggregated groups are read apart. Integrals over time also need the samples next to the range.
    """
    is_grouped = bool(arguments.get("by")) and arguments.get("aggregate") is not None
    is_twice = is_grouped or _is_over_time(arguments)
    return count_comparisons(arguments, scope) * (2 if is_twice else 1)


def count_series_points(arguments: Arguments, scope: CostScope) -> int:
    """The points of a series and of its groups, and the samples next to each series of an integral.

    A field of a machine counts as one series unless its groups are requested.
    """
    groups = GROUPS if arguments.get("by") else 0
    beside = count_comparisons(arguments, scope) if _is_over_time(arguments) else 0
    return count_windows(arguments, scope) * (1 + groups) + beside * max(groups, 1)


def count_counter_points(arguments: Arguments, scope: CostScope) -> int:
    """The windows of a counter, or of each of its groups, and the samples next to the range."""
    if arguments["every"] is None:  # it is read by the hour or by the day
        length = max(_find_range_length(arguments, scope, now) for now in (scope.now, scope.now - MINUTE))
        windows = length // find_plain_step(length) + 2
    else:
        windows = count_windows(arguments, scope)
    return (windows + 1) * (GROUPS if arguments.get("by") else 1)


def _is_over_time(arguments: Arguments) -> bool:
    aggregate = arguments.get("aggregate")
    return aggregate is not None and aggregate.value in get_args(TimeFunction)


def count_calls_for_one_series(arguments: Arguments, scope: CostScope) -> int:
    """The reads of a series and, if it is empty, of what was ever written and of the catalogue."""
    return count_queries(arguments, scope) + count_comparisons(arguments, scope) + 1


def _find_range_length(arguments: Arguments, scope: CostScope, now: int) -> int:
    """The length of a range in nanoseconds, 0 for one that is not valid."""
    range_ = arguments["range"]
    current, previous = (range_[unit] and range_[unit].value for unit in ("current", "previous"))
    if "shift" in (current, previous):
        return 25 * HOUR  # at most, when clocks are set back
    offsets = () if range_["offset"] is None else (range_["offset"],)
    try:
        start, stop = (merge_time(range_[name], range_[f"{name}Ms"], name) for name in ("from", "to"))
        requested = RequestedRange(start, stop, range_["last"], current, previous, offsets)
        zone = find_zone(arguments.get("timeZone") or range_["timeZone"] or scope.time_zone)
        first, end = to_nanoseconds(requested, zone, now, scope.limits)
    except (BadUserInput, LimitExceeded):
        return 0
    return end - first


def needs_application(arguments: Arguments) -> bool:
    """Whether a range or its windows depend on the time zone or the shifts of an application."""
    range_, every = arguments.get("range"), arguments.get("every") or {}
    if range_ is None:
        return False
    units = [unit.value for unit in (range_["current"], range_["previous"], every.get("unit")) if unit]
    if "shift" in units or arguments.get("timeZone") or range_["timeZone"]:
        return "shift" in units
    times = [time for time in (range_["from"], range_["to"]) if time is not None]
    offsets = [offset for offset in (range_["offset"], arguments.get("compare")) if offset is not None]
    is_local = any(time.is_local for time in times) or any(offset.days for offset in offsets)
    return is_local or bool(units or every.get("dayTimes"))


def _count_windows_of_length(length: int, every: dict[str, Any]) -> int:
    """The windows of a range at most; those at its ends may be cut."""
    if every.get("dayTimes"):
        return (length // SHORTEST["day"] + 2) * len(every["dayTimes"])
    if every.get("unit") is not None:
        return length // SHORTEST[every["unit"].value] + 2
    return length // max(int(every.get("duration") or 0), 1) + 2


def count_series_objects(arguments: Arguments, scope: CostScope) -> int:
    return count_windows(arguments, scope) or SAMPLES


def count_series(arguments: Arguments, _: CostScope) -> int:
    count = len(arguments["machines"]) * len(arguments["fields"])
    return count if count <= MAX_SERIES else 0


def count_distinct(argument: str, *names: str) -> Callable[[Arguments, CostScope], int]:
    """How many different values the members `names` have in a list argument."""
    return lambda arguments, _: len({tuple(item[name] for name in names) for item in arguments[argument]})


def count_calls_for_series(arguments: Arguments, scope: CostScope) -> int:
    """The devices of each application; for each organization each measurement, and what is absent.

    And the applications of all organizations, which tell their time zones.
    """
    applications = count_distinct("machines", "organizationId", "applicationId")(arguments, scope)
    organizations = count_distinct("machines", "organizationId")(arguments, scope)
    measurements = count_distinct("fields", "measurement")(arguments, scope)
    reads = measurements * count_queries(arguments, scope) + count_comparisons(arguments, scope) + 2
    return 1 + applications + organizations * reads


def count_series_documents(arguments: Arguments, scope: CostScope) -> int:
    """The devices, and the documents that tell the time zones of their applications."""
    return len(arguments["machines"]) + 2 * count_distinct("machines", "organizationId")(arguments, scope)


def count_measurements_of_performance(arguments: Arguments, _: CostScope) -> int:
    """The measurements of the states and of both counters."""
    counters = (arguments[name] for name in ("pieces", "scrap") if arguments[name] is not None)
    return len({STATE, *(counter["measurement"] for counter in counters)})


def multiply(*amounts: Callable[[Arguments, CostScope], int]) -> Callable[[Arguments, CostScope], int]:
    """The product of amounts."""

    def resolve_product(arguments: Arguments, scope: CostScope) -> int:
        product = 1
        for amount in amounts:
            product *= amount(arguments, scope)
        return product

    return resolve_product


def count_organization_documents(arguments: Arguments, scope: CostScope) -> int:
    """The documents of organizations, two of each: a search reads all, a page its own and the default one."""
    count = scope.organizations if arguments["search"] else count_page_nodes(arguments, scope) + 1
    return 2 * count


def count_owner_documents(arguments: Arguments, scope: CostScope) -> int:
    """The documents that tell whose machines are: those of all organizations, and the devices."""
    machines = count_page_nodes(arguments, scope) if "first" in arguments else 1
    return 2 * scope.organizations + machines * APPLICATIONS


def count_applications_in_page(arguments: Arguments, scope: CostScope) -> int:
    return min(APPLICATIONS, count_page_nodes(arguments, scope))


def count_devices_of_page(arguments: Arguments, scope: CostScope) -> int:
    return min(count_page_nodes(arguments, scope) * DEVICES_OF_ORGANIZATION, DEVICES)


def count_devices_of_viewer(_: Arguments, scope: CostScope) -> int:
    """Questions about all machines of all databases, which operators ask, read no devices."""
    return 0 if scope.is_operator else min(scope.organizations * DEVICES_OF_ORGANIZATION, DEVICES)


def count_devices_for_operator(_: Arguments, scope: CostScope) -> int:
    """The devices of which an operator reads the machine ids, to tell them from machines without a device."""
    return min(scope.organizations * DEVICES_OF_ORGANIZATION, DEVICES) if scope.is_operator else 0


def count_databases_of_viewer(_: Arguments, scope: CostScope) -> int:
    return scope.databases if scope.is_operator else scope.organizations
