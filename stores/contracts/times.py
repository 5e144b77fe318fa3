"""Times as clients write them: exact to the nanosecond, and with or without an offset."""

import re
from datetime import UTC, datetime, tzinfo

from stores.contracts.series import SECOND

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

    def nanoseconds(self, zone: tzinfo) -> int:
        """Return the nanoseconds since 1970. Raises `OverflowError` at the ends of the calendar."""
        second = self._second if self._second.tzinfo else self._second.replace(tzinfo=zone)
        return int(second.timestamp()) * SECOND + self._rest
