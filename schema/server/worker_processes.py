"""Several processes behind one port: one accepts connections and deals them out, the others serve them.

The first process holds the listening socket, no store and no event loop. It gives each connection to the next
worker in turn, so that workers get equal parts however the system wakes them; a connection costs it two
system calls, and a request nothing. It replaces a worker that dies, ever later if the next ones cannot
start, and answers 503 itself while none can.
"""

import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from schema.server.unserved_connections import UnservedConnections
from schema.server.worker_restarts import WorkerProcess, WorkerSlot

log = logging.getLogger(__name__)
# What is sent with a connection, and by a worker that accepts connections, and that accepts no more.
CONNECTION, READY, CLOSED = b"c", b"r", b"x"
FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
WAKE_S = 1.0  # how often it looks whether a worker is due
ACCEPTED_AT_ONCE = 64


class WorkerPool:
    """The worker processes of a listening socket. `serve(index, channel)` is what each of them does.

    `reload` is called at SIGHUP, before the workers get it: workers of later times serve what it has read.
    """

    def __init__(
        self,
        number: int,
        listener: socket.socket,
        serve: Callable[[int, socket.socket], None],
        reload: Callable[[], None],
    ) -> None:
        self._listener, self._serve, self._reload = listener, serve, reload
        self._slots = [WorkerSlot(index) for index in range(number)]
        self._next = 0
        self._is_ending = self._has_started = False
        self._status = 0
        self._selector = selectors.DefaultSelector()
        self._unserved = UnservedConnections(self._selector)

    def _list_workers(self) -> list[WorkerProcess]:
        return [slot.worker for slot in self._slots if slot.worker is not None]

    def run(self) -> int:
        """Deal out connections until a signal ends the workers. Returns the exit status.

        If the first worker that ends has never accepted a connection, none of them can: all end.
        """
        self._listener.setblocking(False)
        with _signals_as_bytes() as signals:
            self._selector.register(signals, selectors.EVENT_READ, self._handle_signals)
            self._start_missing()
            while self._list_workers() or not self._is_ending:
                for key, _ in self._selector.select(WAKE_S):
                    # What came before it may have closed it. Only sockets are registered.
                    if self._is_registered(key.fileobj):  # type: ignore[arg-type]
                        key.data(key.fileobj)
                self._start_missing()
        return self._status

    def _is_registered(self, connection: socket.socket) -> bool:
        # The selector looks for a socket by its descriptor, which a closed one does not have.
        return connection.fileno() != -1 and connection in self._selector.get_map()

    def _start_missing(self) -> None:
        for slot in self._slots:
            if not self._is_ending and slot.is_due():
                slot.worker = self._start(slot.index)

    def _start(self, index: int) -> WorkerProcess:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                self._become_worker(ours)
                self._serve(index, theirs)
                status = 0
            except SystemExit as error:
                status = error.code if isinstance(error.code, int) else 1
            except BaseException:  # the outermost boundary of the process
                log.exception("worker %d failed", index)
            finally:
                os._exit(status)
        theirs.close()
        ours.setblocking(False)
        self._selector.register(ours, selectors.EVENT_READ, self._hear)
        log.info("worker %d is process %d", index, pid)
        return WorkerProcess(pid, ours)

    def _become_worker(self, ours: socket.socket) -> None:
        """Close what belongs to the first process."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # it waits until the server handles it
        signal.set_wakeup_fd(-1)
        for number in (*FORWARDED, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]  # sockets, of which none is registered by its number
        self._selector.close()
        self._listener.close()
        ours.close()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                connection, _ = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:  # no descriptors are left, or the client has gone
                log.warning("a connection cannot be accepted: %s", error.strerror)
                time.sleep(0.01)
                return
            if any(worker.accepts for worker in self._list_workers()):
                with connection:
                    self._deal_out(connection)
            else:
                self._unserved.answer(connection)

    def _deal_out(self, connection: socket.socket) -> None:
        """Give a connection to the next worker that takes it."""
        for _ in self._slots:
            self._next = (self._next + 1) % len(self._slots)
            worker = self._slots[self._next].worker
            if worker is not None and worker.accepts:
                try:
                    socket.send_fds(worker.channel, [CONNECTION], [connection.fileno()])
                except OSError:  # it is dying, or has more waiting than its channel holds
                    continue
                return

    def _hear(self, channel: socket.socket) -> None:
        """A worker ends at the request of its parent, or the channel of a dead one is closed."""
        try:
            message = channel.recv(1)
        except OSError:
            message = b""
        for slot in self._slots:
            if slot.worker is not None and slot.worker.channel is channel:
                slot.note_accepting(slot.worker, accepts=message == READY)
        if not message:
            self._selector.unregister(channel)
        self._has_started |= message == READY
        self._accept_while_served()

    def _accept_while_served(self) -> None:
        """Accept connections only while a worker takes them; else the system keeps them waiting.

        If none of them can start, connections are accepted to be answered here.
        """
        if self._listener.fileno() == -1:
            return
        is_served = any(worker.accepts for worker in self._list_workers())
        is_answered = not self._is_ending and all(slot.is_failing for slot in self._slots)
        is_accepting = self._is_registered(self._listener)
        if (is_served or is_answered) and not is_accepting:
            self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        elif is_accepting and not (is_served or is_answered):
            self._selector.unregister(self._listener)
        if self._is_ending and not is_served:
            self._listener.close()

    def _handle_signals(self, signals: socket.socket) -> None:
        for number in signals.recv(64):
            if number == signal.SIGCHLD:
                self._bury()
            elif number in FORWARDED:
                if number == signal.SIGHUP:
                    self._reload()
                    for slot in self._slots:
                        slot.try_at_once()
                else:
                    self._is_ending = True
                self._send(number)

    def _send(self, number: int) -> None:
        for worker in self._list_workers():
            os.kill(worker.pid, number)

    def _bury(self) -> None:
        """Note which workers have died."""
        for slot in self._slots:
            worker = slot.worker
            if worker is None:
                continue
            pid, wait_status = os.waitpid(worker.pid, os.WNOHANG)
            if pid == 0:
                continue
            if self._is_registered(worker.channel):
                self._selector.unregister(worker.channel)
            worker.channel.close()
            status = os.waitstatus_to_exitcode(wait_status)
            if self._is_ending:
                slot.worker = None
            elif self._has_started:
                slot.note_end(status)
            else:
                slot.worker, self._is_ending, self._status = None, True, status or 1
                self._send(signal.SIGTERM)
        self._accept_while_served()


@contextmanager
def _signals_as_bytes() -> Iterator[socket.socket]:
    """A socket on which the number of each signal arrives as a byte."""
    receiving, sending = socket.socketpair()
    receiving.setblocking(False)
    sending.setblocking(False)
    signal.set_wakeup_fd(sending.fileno())
    previous = {number: signal.signal(number, _ignore) for number in (*FORWARDED, signal.SIGCHLD)}
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    try:
        yield receiving
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in previous.items():
            signal.signal(number, handler)
        receiving.close()
        sending.close()


def _ignore(number: int, frame: object) -> None:
    """The byte on the socket is enough."""
