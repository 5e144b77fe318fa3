"""uvicorn's HTTP protocol with the limits that uvicorn has no options for.

The decision `docs/decisions/http-protocol.md` says why this is a subclass.
"""

import asyncio
import logging
import math
from http import HTTPStatus
from typing import Any

import httptools
import orjson
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from schema.server.client_connections import ClientConnections, peer_of
from stores.contracts.errors import BadUserInput, LimitExceeded

log = logging.getLogger(__name__)
NEVER = math.inf
LINGER_S = 1.0  # how long what a client still sends is discarded, so that it can read the answer
VERSIONS = ("1.0", "1.1")  # of HTTP
TRANSFER_ENCODING = b"transfer-encoding"
LENGTH_OF_TRANSFER_ENCODING = len(TRANSFER_ENCODING)
MAX_PIPELINED = 32  # requests on one connection that wait for the answer to an earlier one
HEADER_OVERHEAD_BYTES = 32  # what a header costs beside its name and its value, as HTTP/2 counts it
RETRY_AFTER_S = 1


class Refusal(Exception):
    """The request is not read to its end. `limit` names the exceeded limit, if it is one."""

    def __init__(self, status: int, message: str, limit: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.limit = status, message, limit


class LimitedHttpProtocol(HttpToolsProtocol):
    """One connection. `connections` has its limits and knows the others.

    A request that exceeds a limit is answered (408, 414, 431, 503) and the connection is closed. A connection
    without a request is closed silently.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        connections: ClientConnections,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._all, self._limits = connections, connections.limits
        self.peer = ""
        self._deadline = NEVER  # when the client must have sent what the server waits for
        self._in_head = self._in_body = self._is_refused = False
        self._late_refusal: Refusal | None = None  # what is sent after the answers to earlier requests
        self._head_bytes = 0  # of what the parser keeps
        self._header_bytes = 0  # of the headers that it has passed on
        self._has_body = False  # whether the data that is parsed contains some of a body

    # What the sweep over all connections calls

    def check_reading(self, now: float) -> None:
        if now < self._deadline:
            return
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if self._is_refused or not (self._in_head or self._in_body) or self._is_discarding():
            self.transport.close()
        elif self._in_head and is_answering:
            self._deadline = now + self._limits.head_seconds  # the answer to an earlier request is written
        elif self._in_body and (self.flow.read_paused or self.cycle.waiting_for_100_continue):
            self._deadline = now + self._limits.body_seconds  # the client waits for the server
        else:
            limit = "head_seconds" if self._in_head else "body_seconds"
            self._deadline = NEVER
            if self._all.enforces(limit):
                self._refuse(Refusal(408, f"The request arrives too slowly (limits.{limit}).", limit))

    def unsent_bytes(self) -> int:
        return self.transport.get_write_buffer_size()

    def abort(self) -> None:
        self.transport.abort()

    # The transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn narrows it too
        super().connection_made(transport)
        self.peer = peer_of(self.client[0]) if self.client else ""
        self._deadline = self.loop.time() + self._limits.head_seconds
        exceeded = self._all.add(self, self.loop)
        if exceeded is None:
            return
        if self._all.may_answer_refused:
            self._refuse(Refusal(503, f"There are too many connections (limits.{exceeded}).", exceeded))
        else:
            self._is_refused = True
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._all.remove(self)
        super().connection_lost(exc)
        self._unset_keepalive_if_required()  # else it would hold a connection that was reset, and its request

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._unset_keepalive_if_required()
        if (
            self._deadline == NEVER
        ):  # otherwise the connection is new or in a request, and its time is running
            self._deadline = self.loop.time() + self._limits.head_seconds
        is_continued, self._has_body = self._in_head or self._in_body, False
        rest: bytes | None = None
        try:
            self.parser.feed_data(data)
            if (self._in_head or self._in_body) and is_continued and not self._has_body:
                self._count_head_bytes(len(data))
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(
                cause if isinstance(cause, Refusal) else Refusal(400, "The request is not HTTP/1.1.")
            )
        except Refusal as refusal:
            self._refuse(refusal)
        if rest is not None:
            self._ignore_upgrade(rest)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._all.add_slow(self, self.loop.time())

    def resume_writing(self) -> None:
        super().resume_writing()
        self._all.remove_slow(self)

    # The parser

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_bytes, self._header_bytes = True, 0, 0
        if self._deadline == NEVER:  # the request follows another one in the same data
            self._deadline = self.loop.time() + self._limits.head_seconds

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self._limits.request_line_bytes and self._all.enforces("request_line_bytes"):
            raise _make_refusal("request_line_bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            self._header_bytes += len(name) + len(value) + HEADER_OVERHEAD_BYTES
            if len(name) == LENGTH_OF_TRANSFER_ENCODING and name.lower() == TRANSFER_ENCODING:
                _check_transfer_encoding(value)
            super().on_header(name, value)
        else:  # a trailer, which uvicorn would add to the headers while the application reads them
            self._count_head_bytes(len(name) + len(value) + HEADER_OVERHEAD_BYTES)

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise Refusal(405, "The server is no proxy.")
            return  # see `_ignore_upgrade`
        if self.parser.get_http_version() not in VERSIONS:
            raise Refusal(505, "The server speaks HTTP/1.1.")
        if self._header_bytes > self._limits.header_bytes and self._all.enforces("header_bytes"):
            raise _make_refusal("header_bytes")
        if len(self.pipeline) >= MAX_PIPELINED:
            raise Refusal(503, "There are too many requests at once on one connection.")
        if not self.url.startswith((b"/", b"*")):
            self._take_host_of_target()
        super().on_headers_complete()
        self._in_head, self._in_body, self._head_bytes = False, True, 0
        self._deadline = self.loop.time() + self._limits.body_seconds

    def on_body(self, body: bytes) -> None:
        self._has_body, self._head_bytes = True, 0
        now = self.loop.time()
        gained = len(body) / self._limits.bytes_per_second
        if not self._is_discarding():
            self._deadline = min(now + self._limits.body_seconds, self._deadline + gained)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._in_head:
            return  # see `_ignore_upgrade`
        self._in_body = False
        self._deadline = NEVER
        super().on_message_complete()

    def on_response_complete(self) -> None:
        is_last = not self.pipeline
        super().on_response_complete()
        if self._is_discarding():
            self._deadline = self.loop.time() + LINGER_S
        if is_last and self._late_refusal is not None and not self.transport.is_closing():
            self._send_refusal(self._late_refusal)

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Parse a head again without `Upgrade`, with which the parser would take the request to be over.

        The server speaks no other protocol, and answers the request as it is. Java's client requests HTTP/2
        in this way, and sends the body at once.
        """
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"\r\n".join([*lines, b"", rest]))

    def _take_host_of_target(self) -> None:
        """Replace the header Host by the host of a target such as `http://host/path`, which precedes it."""
        target = httptools.parse_url(self.url)
        if target.host is not None:
            host = b"[%b]" % target.host if b":" in target.host else target.host
            host = host if target.port is None else b"%b:%d" % (host, target.port)
            self.headers[:] = [header for header in self.headers if header[0] != b"host"] + [(b"host", host)]

    # Limits

    def _count_head_bytes(self, size: int) -> None:
        """Count what the parser keeps until it is complete: a head, a trailer, or the size of a chunk."""
        self._head_bytes += size
        most = self._limits.request_line_bytes + self._limits.header_bytes
        if self._head_bytes > most and self._all.enforces("header_bytes"):
            raise _make_refusal("header_bytes")

    def _is_discarding(self) -> bool:
        """Whether the rest of a body arrives whose request is answered already."""
        return self._in_body and self.cycle is not None and self.cycle.response_complete

    def _refuse(self, refusal: Refusal) -> None:
        """Answer a request that is not read to its end, and close the connection soon.

        If earlier requests of the connection are not answered yet, their answers come first.
        """
        self._is_refused = True
        if self._is_discarding():
            return  # the request is answered, and the connection will be closed
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if self._in_body and self.pipeline:
                self.pipeline.popleft()  # the request itself, which waits for earlier ones
                self._in_body = False
            if not self._in_body:
                self._late_refusal, self._deadline = refusal, NEVER
                return
            if cycle.response_started:
                self.transport.close()  # the client sees that the answer is incomplete
                return
            cycle.disconnected = True  # the application reads no more of the body, and sends no answer
            cycle.message_event.set()
        self._send_refusal(refusal)

    def _send_refusal(self, refusal: Refusal) -> None:
        self.transport.write(_render(refusal))
        self._deadline = self.loop.time() + LINGER_S
        if self.transport.can_write_eof():
            self.transport.write_eof()


def _check_transfer_encoding(value: bytes) -> None:
    if value.lower() != b"chunked":
        raise Refusal(501, "The server knows no Transfer-Encoding but chunked.")


def _make_refusal(limit: str) -> Refusal:
    status, what = (414, "request line") if limit == "request_line_bytes" else (431, "header")
    return Refusal(status, f"The {what} of the request is too long (limits.{limit}).", limit)


def _render(refusal: Refusal) -> bytes:
    """The response in the forms of both doors: what is requested may not be known."""
    extensions = {"code": LimitExceeded.code if refusal.limit else BadUserInput.code}
    if refusal.limit:
        extensions["limit"] = refusal.limit
    body = orjson.dumps(
        {"error": refusal.message, "errors": [{"message": refusal.message, "extensions": extensions}]}
    )
    retry = f"retry-after: {RETRY_AFTER_S}\r\n" if refusal.status == 503 else ""
    head = (
        f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n{retry}connection: close\r\n\r\n"
    )
    return head.encode() + body
