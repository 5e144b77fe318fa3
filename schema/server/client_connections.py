"""The open connections of the server: how many there are, how long they wait, and what their clients owe.

One sweep, a few times in each of the shortest limits, looks at all connections, so that a request pays for
no timer of its own.
"""

import asyncio
import ipaddress
import logging
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from resolvers.limits import LimitPolicy

log = logging.getLogger(__name__)
SWEEPS_PER_LIMIT = 4
MAX_SWEEP_S = 0.5
MAX_REFUSED = 64  # connections over the limit that are answered; more are closed without an answer


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What a connection may take: times in seconds, sizes in bytes, numbers of connections.

    `head_seconds` bounds the time of a request line with its headers. `body_seconds` is the time that a body
    may fall behind `bytes_per_second`, and `write_seconds` the same for the reader of an answer.
    `unsent_bytes` bounds what all readers together have not read yet.
    """

    head_seconds: float = 10.0
    body_seconds: float = 10.0
    idle_seconds: float = 30.0
    write_seconds: float = 30.0
    bytes_per_second: int = 1024
    request_line_bytes: int = 16 * 1024
    header_bytes: int = 32 * 1024
    unsent_bytes: int = 256 * 1024 * 1024
    connections: int = 2000
    connections_per_address: int = 500


class ClientConnection(Protocol):
    """What the sweep needs to know of a connection, and does with it."""

    peer: str  # what connections are counted by: the address of the client, or its network

    def check_reading(self, now: float) -> None:
        """Close the connection if the client sends too slowly."""

    def unsent_bytes(self) -> int:
        """The bytes that the client has not read yet."""

    def abort(self) -> None:
        """Close the connection at once and drop what is unsent."""


class SlowReader:
    """How long the client of a connection may still take to read its answer."""

    __slots__ = ("deadline", "unsent")

    def __init__(self, unsent: int, deadline: float) -> None:
        self.unsent, self.deadline = unsent, deadline


class ClientConnections:
    """All connections of one server. Addresses in `trusted` networks have no limit of their own.

    `policy` counts the connections over each limit, and knows the limits that only warn.
    """

    def __init__(
        self, limits: ConnectionLimits, policy: LimitPolicy | None = None, *, trusted: Collection[str] = ()
    ) -> None:
        self.limits, self.policy = limits, policy or LimitPolicy()
        self._trusted = [ipaddress.ip_network(network) for network in trusted]
        self._open: dict[ClientConnection, None] = {}
        self._by_peer: Counter[str] = Counter()
        self._refused: set[ClientConnection] = set()
        self._slow: dict[ClientConnection, SlowReader] = {}  # in the order in which they fell behind
        self._sweep: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: ClientConnection, loop: asyncio.AbstractEventLoop) -> str | None:
        """Register a connection. Returns the name of the limit that it exceeds, None if it may stay."""
        if self._sweep is None:
            self._schedule(loop)
        exceeded = self._find_exceeded(connection.peer)
        if exceeded is None or not self.enforces(exceeded):
            self._open[connection] = None
            self._by_peer[connection.peer] += 1
            return None
        self._refused.add(connection)
        return exceeded

    def _find_exceeded(self, peer: str) -> str | None:
        if len(self._open) >= self.limits.connections:
            return "connections"
        if self._by_peer[peer] >= self.limits.connections_per_address and not self.trusts(peer):
            return "connections_per_address"
        return None

    def enforces(self, limit: str) -> bool:
        """Count a connection that is over a limit. Returns whether it has to be ended."""
        self.policy.hits[limit] += 1
        if self.policy.only_warns(limit):
            log.warning("limits.warn_only let a connection pass that is over the limit %s", limit)
            return False
        return True

    def trusts(self, peer: str) -> bool:
        """Whether connections of this peer, a proxy, stand for many clients."""
        if not self._trusted:
            return False
        network = ipaddress.ip_network(peer)
        return any(network.version == known.version and network.subnet_of(known) for known in self._trusted)  # type: ignore[arg-type]  # the versions are equal

    @property
    def may_answer_refused(self) -> bool:
        """Whether a refused connection may stay open for as long as its answer takes."""
        return len(self._refused) <= MAX_REFUSED

    def remove(self, connection: ClientConnection) -> None:
        self._slow.pop(connection, None)
        if connection in self._refused:
            self._refused.discard(connection)
            return
        if connection in self._open:
            del self._open[connection]
            self._by_peer[connection.peer] -= 1
            if not self._by_peer[connection.peer]:
                del self._by_peer[connection.peer]

    def unsent_bytes(self) -> int:
        """The bytes that slow readers have not read yet."""
        return sum(connection.unsent_bytes() for connection in self._slow)

    def add_slow(self, connection: ClientConnection, now: float) -> None:
        """Note that a client does not read as fast as the server writes.

        The longest waiting readers are closed as soon as all of them together have more unread than allowed.
        """
        unsent = connection.unsent_bytes()
        self._slow[connection] = SlowReader(unsent, now + self.limits.write_seconds)
        total = self.unsent_bytes()
        while total > self.limits.unsent_bytes and self.enforces("unsent_bytes"):
            oldest = next(iter(self._slow))
            total -= oldest.unsent_bytes()
            self._abort(oldest)

    def remove_slow(self, connection: ClientConnection) -> None:
        self._slow.pop(connection, None)

    def _abort(self, connection: ClientConnection) -> None:
        self._slow.pop(connection, None)
        connection.abort()

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        limits = self.limits
        shortest = min(limits.head_seconds, limits.body_seconds, limits.write_seconds)
        self._sweep = loop.call_later(min(shortest / SWEEPS_PER_LIMIT, MAX_SWEEP_S), self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look at every connection, and again later as long as there are any."""
        now = loop.time()
        for connection in [*self._open, *self._refused]:
            connection.check_reading(now)
            self._check_writing(connection, now)
        self._sweep = None
        if self._open or self._refused:
            self._schedule(loop)

    def _check_writing(self, connection: ClientConnection, now: float) -> None:
        unsent = connection.unsent_bytes()
        slow = self._slow.get(connection)
        if unsent == 0:
            self._slow.pop(connection, None)
        elif slow is None:
            self._slow[connection] = SlowReader(unsent, now + self.limits.write_seconds)
        else:
            if unsent < slow.unsent:
                gained = (slow.unsent - unsent) / self.limits.bytes_per_second
                slow.deadline = min(now + self.limits.write_seconds, slow.deadline + gained)
            slow.unsent = unsent
            if now > slow.deadline:
                slow.deadline = now + self.limits.write_seconds
                if self.enforces("write_seconds"):
                    self._abort(connection)


def peer_of(host: str) -> str:
    """What connections from an address are counted by: the address, or the /64 network of IPv6."""
    if ":" not in host:
        return host
    address = ipaddress.IPv6Address(host.partition("%")[0])
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
