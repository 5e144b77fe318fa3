"""What answers connections while no worker serves: 503, so that probes and clients need not wait."""

import contextlib
import selectors
import socket
from collections import deque

BODY = b'{"status": "unavailable"}'
ANSWER = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\nretry-after: 1\r\nconnection: close\r\n\r\n%b" % (len(BODY), BODY)
)
MAX_OPEN = 64
READ_BYTES = 65536


class UnservedConnections:
    """Answers each connection, and reads what its client sends until that has read the answer."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._open: deque[socket.socket] = deque()

    def answer(self, connection: socket.socket) -> None:
        """Take over a connection. The oldest one is closed if there are too many."""
        connection.setblocking(False)
        try:
            connection.send(ANSWER)
            connection.shutdown(socket.SHUT_WR)
        except OSError:  # the client has gone
            connection.close()
            return
        self._open.append(connection)
        self._selector.register(connection, selectors.EVENT_READ, self._read)
        if len(self._open) > MAX_OPEN:
            self._close(self._open[0])

    def _read(self, connection: socket.socket) -> None:
        content = b""
        with contextlib.suppress(OSError):
            content = connection.recv(READ_BYTES)
        if not content:
            self._close(connection)

    def _close(self, connection: socket.socket) -> None:
        self._open.remove(connection)
        self._selector.unregister(connection)
        connection.close()
