"""Times and durations as clients write them: exact to the nanosecond, and with what was written."""

import re
from datetime import UTC, datetime, tzinfo

from stores.contracts.samples import SECOND

_DURATION = re.compile(
    r"(-?)P(?:(\d{1,9})W)?(?:(\d{1,9})D)?"
    r"(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})(?:[.,](\d{1,9}))?S)?)?"
)
# As Grafana and Prometheus write intervals.
_INTERVAL = re.compile(
    r"(-?)(?:(\d{1,9})w)?(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m(?!s))?(?:(\d{1,9})s)?(?:(\d{1,9})ms)?"
)
_TIME = re.compile(r"(\d{4}-?\d\d-?\d\dT[\d:]+)(?:[.,](\d{1,9}))?(Z|[+-][\d:]+)?")


class WrittenTime(datetime):
    """A time from a client. As a `datetime` it is one that documents store: whole milliseconds in UTC.

    `nanoseconds(zone)` is the exact time. A time without an offset is one of the local clock of `zone`; as a
    `datetime` it is taken for UTC.
    """

    _second: datetime  # without an offset if it is local
    _rest: int  # nanoseconds

    @classmethod
    def parse(cls, text: str) -> "WrittenTime":
        """Return the time of a string as RFC 3339 writes it, whose offset may be missing.

        Raises `ValueError` for any other string and for a time outside the calendar.
        """
        match = _TIME.fullmatch(text.upper())
        if match is None:
            raise ValueError(f"{text!r} is not a time")
        second = datetime.fromisoformat(match[1] + (match[3] or ""))
        rest = int((match[2] or "").ljust(9, "0"))
        try:
            utc = second.astimezone(UTC) if second.tzinfo else second
        except OverflowError:
            raise ValueError(f"{text!r} is outside the calendar") from None
        milliseconds = rest // 1_000_000
        time = cls(*utc.timetuple()[:6], milliseconds * 1000)
        time._second, time._rest = second, rest
        return time

    @classmethod
    def from_milliseconds(cls, milliseconds: float) -> "WrittenTime":
        """Return the time of milliseconds since 1970. Raises `ValueError` outside the calendar."""
        seconds, rest = divmod(milliseconds, 1000)
        try:
            second = datetime.fromtimestamp(int(seconds), UTC)
        except (OverflowError, OSError):
            raise ValueError(f"{milliseconds} ms is outside the calendar") from None
        return cls.parse(f"{second:%Y-%m-%dT%H:%M:%S}.{min(round(rest * 1e6), SECOND - 1):09}Z")

    @property
    def is_local(self) -> bool:
        """Whether it has no offset."""
        return self._second.tzinfo is None

    def nanoseconds(self, zone: tzinfo) -> int:
        """Return the nanoseconds since 1970. Raises `OverflowError` at the ends of the calendar."""
        second = self._second if self._second.tzinfo else self._second.replace(tzinfo=zone)
        return int(second.timestamp()) * SECOND + self._rest


class WrittenDuration(int):
    """A duration from a client, in nanoseconds, with 24 hours a day. It may be negative.

    `days` are those that it was written in, as days or weeks, and `rest` are the other nanoseconds.
    """

    days: int
    rest: int

    @classmethod
    def of(cls, days: int, rest: int) -> "WrittenDuration":
        """Return the duration of some days and nanoseconds."""
        duration = cls(days * 24 * 3600 * SECOND + rest)
        duration.days, duration.rest = days, rest
        return duration

    def as_past(self) -> "WrittenDuration":
        """Return the same duration, negative."""
        return WrittenDuration.of(-self.days, -self.rest) if self > 0 else self

    @classmethod
    def parse(cls, text: str) -> "WrittenDuration":
        """Return the duration of a string such as PT5M, P1DT12H or -P7D, or 5m, 1h30m or -7d.

        Raises `ValueError` for others.
        """
        match = _DURATION.fullmatch(text) or _INTERVAL.fullmatch(text)
        if match is None or match[0][-1:] in ("", "-", "P", "T"):
            raise ValueError(f"{text!r} is not a duration")
        weeks, days, hours, minutes, seconds = (int(number or 0) for number in match.groups()[1:6])
        sign = -1 if match[1] else 1
        is_interval = match.re is _INTERVAL
        below = int(match[7] or 0) * 1_000_000 if is_interval else int((match[7] or "").ljust(9, "0"))
        rest = (hours * 3600 + minutes * 60 + seconds) * SECOND + below
        return cls.of(sign * (7 * weeks + days), sign * rest)
