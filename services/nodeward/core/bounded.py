"""Answers of a server that nobody vouches for: so many bytes at most, and in so much time altogether.

What answers at a node's address is whatever root there makes of it. A time limit alone counts from one byte to the next: a byte
every few seconds would keep each of our threads for as long as it likes, and an answer without an end would fill the memory.
"""

import http.client
import io
import socket
import time
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection

MOST_BYTES = 32 * 1024 * 1024
MORE_SECONDS = 20.0  # for a whole answer, beyond the time limit that it has for the next byte


class TooMuch(OSError):
    """An answer that is longer than any may be."""


class Bounded(io.RawIOBase):
    """What comes from a socket, until it is too much or too late: then TooMuch or TimeoutError is raised."""

    def __init__(self, raw: Any, line: socket.socket, most: int, seconds: float) -> None:
        self._raw, self._line, self._left = raw, line, most
        self._until = time.monotonic() + seconds

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what is there, or wait for it. Raise TimeoutError if it is late, TooMuch if it is too much."""
        usual, left = self._line.gettimeout(), self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("The whole answer took too long.")
        self._line.settimeout(left if usual is None else min(usual, left))
        try:
            read: int | None = self._raw.readinto(buffer)
        finally:
            self._line.settimeout(usual)  # the next request on this line begins with it
        self._left -= read or 0
        if self._left < 0:
            raise TooMuch("what it answers has no end")
        return read

    def close(self) -> None:
        """Close it."""
        self._raw.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *words: Any, **named: Any) -> None:
        super().__init__(sock, *words, **named)
        seconds = (sock.gettimeout() or 0.0) + MORE_SECONDS
        self.fp: Any = io.BufferedReader(Bounded(self.fp.detach(), sock, MOST_BYTES, seconds))


class _Line(HTTPConnection):
    response_class = _Answer


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Line


def pool() -> urllib3.PoolManager:
    """Return a pool whose answers over HTTP are bounded."""
    made = urllib3.PoolManager(maxsize=8, retries=False)
    made.pool_classes_by_scheme = {**made.pool_classes_by_scheme, "http": _Pool}
    return made
