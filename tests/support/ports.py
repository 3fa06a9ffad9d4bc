"""Ports for servers that a test starts: nobody takes one of them before its server does.

They lie below those that the system gives to connections and to whoever asks for any, and no two runs of pytest (nor two workers
of one) share a block of them. Within one run no port is given twice.
"""

import itertools
import os
import socket
from collections.abc import Iterator

BLOCK = 100
BLOCKS = 200
FIRST = 12_000  # 12,000 to 31,999; the system begins at 32,768


def free_port() -> int:
    """Return a port nobody listens on, by TCP or UDP, at any address."""
    return next(_ports)


def _numbers() -> Iterator[int]:
    for turn in itertools.islice(itertools.count(os.getpid()), BLOCKS):
        first = FIRST + turn % BLOCKS * BLOCK
        if _hold(first):
            yield from (port for port in range(first, first + BLOCK) if _is_free(port))
    raise AssertionError("no free ports")


def _hold(first: int) -> bool:
    """Take a block. Return False where another process has it."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0nodeward-test-ports-{first}")  # no file: it is gone with the process, however that ends
    except OSError:
        name.close()
        return False
    name.detach()  # open until the process ends
    return True


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(type=kind) as probe:
            try:
                probe.bind(("", port))
            except OSError:
                return False
    return True


_ports = _numbers()
