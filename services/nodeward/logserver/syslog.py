"""The syslog door: UDP and TCP on one port. Messages are gathered for a tenth of a second and stored as batches.

Senders number nothing, so each gets a receive counter. Room for waiting messages is bounded: while the shelf cannot take more,
TCP senders are made to wait, and UDP messages, which cannot be, are counted as lost and said.
"""

import logging
import queue
import selectors
import socket
import threading
import time
import uuid
import zoneinfo
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from nodeward.core import batch as wire
from nodeward.core import clock
from nodeward.core.batch import Batch, Builder
from nodeward.core.errors import ConfigError, NodewardError
from nodeward.logserver import syslog_message
from nodeward.logserver.syslog_frames import Frames

log = logging.getLogger(__name__)

SOURCE = "syslog"
GATHER_SECONDS = 0.1
MAX_BATCH = 4096
MAX_BATCH_BYTES = 4 * 1024 * 1024
CAPACITY = 100_000
MAX_CONNECTIONS = 512
RETRY_SECONDS = 1.0
_READ = 65536

Received = tuple[str, bytes, int]  # the sender's address, the message, when


class Syslog:
    """Receives and stores. A part (see `core.program`). `node_of` names the node of an address."""

    def __init__(
        self,
        bind: str,
        port: int,
        zone: str,
        store: Callable[[list[tuple[Batch, bytes]]], object],
        node_of: Callable[[str], str],
    ) -> None:
        self._zone = zoneinfo.ZoneInfo(zone)
        self._store, self._node_of = store, node_of
        self._queue: queue.Queue[Received] = queue.Queue(CAPACITY)
        self._counters: dict[str, int] = {}
        self._generation = uuid.uuid4().hex
        self._stopping = threading.Event()
        self.received = self.lost = 0
        self._said_lost = 0
        self._threads: list[threading.Thread] = []
        if port:
            self._door = _Door(bind, port, self._take, self._room)
            self._threads = [
                threading.Thread(target=self._receive, name="syslog", daemon=True),
                threading.Thread(target=self._keep, name="syslog-store", daemon=True),
            ]  # fmt: skip

    def start(self) -> None:
        """Begin to receive."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Receive no more, store what was received."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=5)

    @property
    def alive(self) -> bool:
        """Whether it still receives and stores."""
        return all(thread.is_alive() for thread in self._threads)

    def _receive(self) -> None:
        with self._door as door:
            while not self._stopping.is_set():
                door.turn()

    def _room(self) -> bool:
        return self._queue.qsize() < CAPACITY // 2

    def _take(self, address: str, messages: Iterable[bytes]) -> None:
        now = clock.now()
        for message in messages:
            self.received += 1
            try:
                self._queue.put_nowait((address, message, now))
            except queue.Full:
                self.lost += 1

    def _keep(self) -> None:
        while not (self._stopping.is_set() and self._queue.empty()):
            gathered = self._gather()
            if gathered:
                self._store_all(self._batches(gathered))
            self._say_lost()

    def _gather(self) -> list[Received]:
        try:
            found = [self._queue.get(timeout=0.2)]
        except queue.Empty:
            return []
        size, until = len(found[0][1]), time.monotonic() + GATHER_SECONDS
        while len(found) < MAX_BATCH and size < MAX_BATCH_BYTES:
            try:
                found.append(self._queue.get(timeout=max(until - time.monotonic(), 0.001)))
            except queue.Empty:
                break
            size += len(found[-1][1])
            if time.monotonic() >= until and self._queue.empty():
                break
        return found

    def _batches(self, gathered: list[Received]) -> list[tuple[Batch, bytes]]:
        builders: dict[str, Builder] = {}
        for address, raw, received in gathered:
            node = self._node_of(address)
            if node not in builders:
                builders[node] = Builder(node, SOURCE, self._generation, format="syslog")
            number = self._counters.get(node, 0)
            self._counters[node] = number + 1
            self._add(builders[node], raw, number, received, node)
        built = [builder.build(self._counters[node]) for node, builder in builders.items()]
        return [(batch, wire.encode(batch)) for batch in built]

    def _add(self, builder: Builder, raw: bytes, number: int, received: int, node: str) -> None:
        message = syslog_message.parse(raw, received, self._zone)
        builder.add(
            raw,
            number,
            time=message.time,
            level=message.level,
            host=message.host or node,
            ident=message.ident,
            pid=message.pid,
            message=message.message,
            fields=message.fields,
            error=message.error,
        )

    def _store_all(self, batches: list[tuple[Batch, bytes]]) -> None:
        """Store, again and again until it works: the queue behind fills up meanwhile."""
        while True:
            try:
                self._store(batches)
                return
            except NodewardError as error:
                if not error.retry or self._stopping.is_set():
                    log.error("%d syslog messages could not be stored: %s", sum(b.count for b, _ in batches), error)
                    return
            self._stopping.wait(RETRY_SECONDS)

    def _say_lost(self) -> None:
        if self.lost != self._said_lost:
            log.error("%d syslog messages found no room and are lost", self.lost - self._said_lost)
            self._said_lost = self.lost


@dataclass(slots=True)
class _Connection:
    socket: socket.socket
    address: str
    frames: Frames = field(default_factory=Frames)


class _Door:
    """The sockets: one for datagrams, one that listens, and the connections it took."""

    def __init__(
        self, bind: str, port: int, take: Callable[[str, Iterable[bytes]], None], room: Callable[[], bool]
    ) -> None:
        self._take, self._room = take, room
        family = socket.AF_INET6 if ":" in bind else socket.AF_INET
        self._datagrams = socket.socket(family, socket.SOCK_DGRAM)
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        self._connections: set[socket.socket] = set()
        try:
            self._datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024 * 1024)
            self._datagrams.bind((bind, port))
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind((bind, port))
            self._listener.listen(128)
        except OSError as error:
            self._datagrams.close()
            self._listener.close()
            raise ConfigError(
                f"Syslog cannot be received on port {port} of {bind} ({error.strerror or error}). Is something else "
                "listening there? NODEWARD_LOGSERVER_SYSLOG_PORT sets another port, 0 switches syslog off."
            ) from None
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> "_Door":
        self._datagrams.setblocking(False)
        self._listener.setblocking(False)
        self._selector.register(self._datagrams, selectors.EVENT_READ, self._read_datagrams)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for connection in [*self._connections, self._datagrams, self._listener]:
            connection.close()
        self._selector.close()

    def turn(self) -> None:
        """Read what is there, or wait a moment for something. While there is no room, TCP is left unread."""
        events = self._selector.select(0.2)
        room = self._room()
        for key, _ in events:
            if room or key.fileobj is self._datagrams:
                key.data()
        if not room:
            time.sleep(0.01)  # the unread sockets would wake the next turn at once

    def _read_datagrams(self) -> None:
        for _ in range(1000):  # then the others get their turn
            try:
                data, sender = self._datagrams.recvfrom(_READ)
            except BlockingIOError:
                return
            except OSError as error:
                log.debug("a datagram could not be read: %s", error)
                return
            message = data.rstrip(b"\n\0")
            if message:
                self._take(_plain(sender[0]), [message])

    def _accept(self) -> None:
        try:
            accepted, sender = self._listener.accept()
        except OSError:
            return  # it went away again
        if len(self._connections) >= MAX_CONNECTIONS:
            log.warning("%s is turned away: %d others send syslog over TCP already", sender[0], MAX_CONNECTIONS)
            accepted.close()
            return
        accepted.setblocking(False)
        self._connections.add(accepted)
        connection = _Connection(accepted, _plain(sender[0]))
        self._selector.register(accepted, selectors.EVENT_READ, partial(self._read, connection))

    def _read(self, connection: _Connection) -> None:
        try:
            data = connection.socket.recv(_READ)
            self._take(connection.address, connection.frames.feed(data) if data else connection.frames.finish())
        except BlockingIOError:
            return
        except (OSError, ValueError) as error:
            log.warning("the syslog connection from %s is closed: %s", connection.address, error)
            data = b""
        if not data:
            self._selector.unregister(connection.socket)
            self._connections.discard(connection.socket)
            connection.socket.close()


def _plain(address: str) -> str:
    """Return an IPv4 address that came over IPv6 as what it is."""
    return address.removeprefix("::ffff:").partition("%")[0]
