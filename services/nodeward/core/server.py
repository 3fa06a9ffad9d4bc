"""Serves a Flask app in this process, on threads, until it is stopped."""

import socket
import threading
from collections.abc import Callable
from typing import Any

from nodeward.core.errors import ConfigError
from nodeward.core.fairness import FairServer

MAX_HEADER = 64 * 1024  # cheroot has no bound of its own, and reads it before anybody has shown a token

READ_SECONDS = 10  # a caller silent for so long in mid-request, or between two, gives its thread to others


class Server:
    """An HTTP server on threads of its own. `port` is the port it really has (useful where 0 was asked for)."""

    def __init__(self, app: Callable[..., Any], bind: str, port: int, threads: int = 16) -> None:
        _must_be_free(bind, port)
        self._server = FairServer(
            (bind, port),
            app,
            numthreads=threads,
            server_name="nodeward",
            request_queue_size=256,
            timeout=READ_SECONDS,
            shutdown_timeout=3,
        )
        self._server.max_request_header_size = MAX_HEADER
        self._server.prepare()
        self.port: int = self._server.bind_addr[1]
        self._thread = threading.Thread(target=self._server.serve, name="http", daemon=True)
        self._stopping = threading.Event()
        self._ending = threading.Thread(target=self._end_late, name="http-late", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()
        self._ending.start()

    def stop(self) -> None:
        """Stop to accept, let running requests finish for a moment, then close."""
        self._stopping.set()
        self._server.stop()
        self._thread.join(timeout=5)

    def _end_late(self) -> None:
        while not self._stopping.wait(1.0):
            self._server.end_late()

    @property
    def alive(self) -> bool:
        """Whether it still answers."""
        return self._thread.is_alive()


def _must_be_free(bind: str, port: int) -> None:
    """Raise ConfigError if the port cannot be bound: cheroot's own error hides the reason and leaves its socket open."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    try:
        socket.create_server((bind, port), family=family).close()
    except OSError as error:
        raise ConfigError(
            f"Port {port} on {bind} cannot be used ({error.strerror or error}). Is something else listening there? "
            "`ss -ltnp` shows what; another port is set by NODEWARD_<ROLE>_PORT."
        ) from None
