"""A share of the threads for each stranger, so that one who opens many connections and says little keeps nobody else out.

An address that has shown a token in force is no stranger for an hour: a fleet behind one address, a proxy and the web role ask
as much as they like. Nor is this machine itself. A stranger's connections beyond its share wait their turn; nobody is refused.
And whoever it is: a request's head that is not there within `HEAD_SECONDS` ends the connection, however slowly it drips; and so
does the rest of a request that shows no token in force.
"""

import contextlib
import functools
import io
import ipaddress
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from cheroot.makefile import MakeFile
from cheroot.server import HTTPConnection, HTTPRequest
from cheroot.wsgi import Server as CherootServer

HEAD_SECONDS = 20.0
KNOWN_SECONDS = 3600.0
MOST_KNOWN = 100_000
MOST_UNREAD = 4 * 1024 * 1024  # bytes of a request's body that are read though nobody wants them
ADMITTED = "nodeward.admitted"  # in a request's environ: it showed a token in force


class Shares:
    """Who works on how many threads. `take` says whether a connection may have one now; `give_back` returns the next in turn."""

    def __init__(self, share: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._share, self._monotonic = share, monotonic
        self._busy: dict[str, int] = {}
        self._waiting: dict[str, deque[Any]] = {}
        self._known: dict[str, float] = {}
        self._lock = threading.Lock()

    def take(self, address: str | None, connection: Any) -> bool:
        """Let a connection have a thread, or let it wait."""
        with self._lock:
            who = _who(address)
            if self._busy.get(who, 0) >= self._share and not self._is_known(who):
                self._waiting.setdefault(who, deque()).append(connection)
                return False
            self._busy[who] = self._busy.get(who, 0) + 1
            return True

    def give_back(self, address: str | None) -> Any | None:
        """Return the connection of the same address whose turn it is now, if one waits: it has the thread's share already."""
        with self._lock:
            who = _who(address)
            if waiting := self._waiting.get(who):
                found = waiting.popleft()
                if not waiting:
                    del self._waiting[who]
                return found
            self._busy[who] -= 1
            if not self._busy[who]:
                del self._busy[who]
            return None

    def know(self, address: str | None) -> None:
        """Remember that somebody there showed a token in force."""
        with self._lock:
            who = _who(address)
            self._known.pop(who, None)
            self._known[who] = self._monotonic()
            if len(self._known) > MOST_KNOWN:
                del self._known[next(iter(self._known))]

    def waiting(self) -> list[Any]:
        """Return every connection that waits, and let none wait any more."""
        with self._lock:
            found = [connection for each in self._waiting.values() for connection in each]
            self._waiting.clear()
            return found

    def _is_known(self, who: str) -> bool:
        since = self._known.get(who)
        return who == "here" or (since is not None and self._monotonic() - since < KNOWN_SECONDS)


@functools.lru_cache(maxsize=16_384)
def _who(address: str | None) -> str:
    """One who has an IPv6 network has its addresses by the billion: they are one."""
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return "here" if found.is_loopback else str(ipaddress.ip_network((found, 64), strict=False))
        found = found.ipv4_mapped
    return "here" if found.is_loopback else str(found)


class _Socket(socket.SocketIO):
    """A socket to read from; `silent`: it says that nothing has come, without a look."""

    silent = False

    def readinto(self, into: Any) -> int | None:
        return None if self.silent else super().readinto(into)


class _Reader(io.BufferedReader):
    """What a connection is read through: Python's own reader, where cheroot takes the one that is written in Python."""

    def __init__(self, sock: socket.socket, size: int) -> None:
        self._socket = _Socket(sock, "r")
        super().__init__(self._socket, size)

    def has_data(self) -> bool:
        """Whether something was read already that nobody asked for yet: the next request, sent behind the first."""
        self._socket.silent = True
        try:
            return bool(self.peek(1))
        finally:
            self._socket.silent = False


def _stream(sock: socket.socket, mode: str, size: int) -> Any:
    return _Reader(sock, size) if "r" in mode else MakeFile(sock, mode, size)


class _Request(HTTPRequest):
    def read_request_line(self) -> bool:
        """Read the first line. What urllib cannot take apart (`http://[::1`) is the caller's fault."""
        try:
            return bool(super().read_request_line())
        except ValueError:
            self.simple_response("400 Bad Request", "Malformed Request-URI")
            return False

    def parse_request(self) -> None:
        """Read the head."""
        with self.server.reading(self.conn):
            super().parse_request()

    def respond(self) -> None:
        """Answer. The body of a stranger's request is read here, also where nobody wants it."""
        with self.server.reading(self.conn):
            super().respond()

    def send_headers(self) -> None:
        """Send the answer's head. Of a body that nobody read so much is taken in that most callers hear the answer, and never
        all of it at once, as cheroot would: it may have no end. Where more comes, the connection ends."""
        if not self._read_to_its_end():
            self.close_connection = True
        super().send_headers()

    def _read_to_its_end(self) -> bool:
        left = MOST_UNREAD
        try:
            while left > 0 and (piece := self.rfile.read(min(left, 65536))):
                left -= len(piece)
        except (OSError, ValueError):
            return False  # it came too slowly, or is not cut as it says
        return left > 0


class _Connection(HTTPConnection):
    RequestHandlerClass = _Request

    def __init__(self, server: "FairServer", sock: socket.socket, makefile: Callable[..., Any] = MakeFile) -> None:
        super().__init__(server, sock, _stream if makefile is MakeFile else makefile)

    def communicate(self) -> bool:
        """Work on one request, then let the next of the same address have its turn."""
        try:
            return bool(super().communicate())
        finally:
            self.server.gave_back(self.remote_addr)


class FairServer(CherootServer):
    """cheroot's server, with shares and a deadline for heads."""

    ConnectionClass = _Connection

    def __init__(self, where: tuple[str, int], app: Callable[..., Any], numthreads: int, **more: Any) -> None:
        self.shares = Shares(max(1, numthreads // 2))
        self._deadlines: dict[Any, float] = {}
        self._environs: dict[Any, dict[str, Any]] = {}
        self._here = threading.local()  # the connection that a thread works on

        def noting(environ: dict[str, Any], start_response: Any) -> Any:
            self._environs[self._here.connection] = environ
            answer = app(environ, start_response)
            if environ.get(ADMITTED):
                self.shares.know(environ.get("REMOTE_ADDR"))
            return answer

        super().__init__(where, noting, numthreads=numthreads, **more)

    def process_conn(self, connection: Any) -> None:
        """Hand a connection to a thread, if it may have one now."""
        if self.shares.take(connection.remote_addr, connection):
            super().process_conn(connection)

    def stop(self) -> None:
        """Stop, and close what waited."""
        super().stop()
        for connection in self.shares.waiting():
            connection.close()

    def gave_back(self, address: str | None) -> None:
        """A thread has done its work for an address: whoever waits there is next."""
        following = self.shares.give_back(address)
        if following is not None:
            super().process_conn(following)

    @contextlib.contextmanager
    def reading(self, connection: Any) -> Iterator[None]:
        """While a head is read, it has a deadline; and so has what follows, until a token in force was shown."""
        self._here.connection = connection
        self._deadlines[connection] = time.monotonic() + HEAD_SECONDS
        try:
            yield
        finally:
            self._deadlines.pop(connection, None)
            self._environs.pop(connection, None)

    def end_late(self) -> None:
        """End the connections whose requests are late: their threads meet the end of the input."""
        now = time.monotonic()
        for connection, deadline in list(self._deadlines.items()):
            if deadline < now and not self._environs.get(connection, {}).get(ADMITTED):
                with contextlib.suppress(OSError):
                    connection.socket.shutdown(socket.SHUT_RDWR)
