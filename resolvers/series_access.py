"""The time-series store as the requests of all viewers share it."""

from dataclasses import dataclass, field
from typing import Any

from cachetools import TTLCache

from resolvers.limits import LIMITS, Limits
from resolvers.machine_owners import MachineOwners
from stores.contracts.samples import SECOND
from stores.contracts.series import SeriesStore, WritableSeriesStore
from stores.entities.series_layout import SeriesLayout


@dataclass(slots=True)
class SeriesAccess:
    """The time-series store, where in it the series of each organization are, and the limits."""

    store: SeriesStore
    layout: SeriesLayout = field(default_factory=SeriesLayout)
    limits: Limits = LIMITS
    stale_after: int = 900 * SECOND
    time_zone: str = "UTC"  # an IANA name; in force where a request names none
    alarm_classes: tuple[str, ...] = ("ALARM",)
    alarm_clear: str = "NONE"  # the value that ends an alarm and is none itself
    future_tolerance: int = 300 * SECOND  # how far the clocks of machines may be ahead
    running_states: tuple[str, ...] = ("ACTIVE",)  # values of `execution` of a machine that runs
    counts: TTLCache[Any, int] = field(
        default_factory=lambda: TTLCache(1024, 30)
    )  # of all events, by organization
    owners: MachineOwners | None = None  # of machine ids; None asks the documents of each request

    def with_store(self, store: SeriesStore) -> "SeriesAccess":
        """The same access to another store. Every request has one, and `replace` takes ten times as long."""
        return SeriesAccess(
            store,
            self.layout,
            self.limits,
            self.stale_after,
            self.time_zone,
            self.alarm_classes,
            self.alarm_clear,
            self.future_tolerance,
            self.running_states,
            self.counts,
            self.owners,
        )

    @property
    def number_of_databases(self) -> int:
        """How many databases a call for all organizations reads; an embedded store reads them as one."""
        return 1 if isinstance(self.store, WritableSeriesStore) else 1 + len(self.layout.databases)

    def find_end_of_present(self, now: int) -> int:
        """Return the time from which on points say nothing about the present: a clock was ahead."""
        return now + self.future_tolerance + 1
