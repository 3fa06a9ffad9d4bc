"""gunicorn's worker on eventlet: gunicorn 26 dropped its own (docs/decisions/0601)."""

import os

os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")  # names are looked up by libc, so those of containers work too

import socket
import sys
import warnings
from types import FrameType
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # eventlet warns of itself: docs/decisions/0601 weighs that
    import eventlet
    import eventlet.wsgi
    from eventlet.greenio import GreenSocket
from gunicorn.workers.base_async import AsyncWorker


class EventletWorker(AsyncWorker):
    """Serves every connection on a green thread of its own."""

    def init_process(self) -> None:
        """Patch the standard library, then import the app and run."""
        eventlet.monkey_patch()
        super().init_process()

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """End at once. (gunicorn's own sleeps, which the hub's green thread may not.)"""
        self.alive = False
        eventlet.spawn(sys.exit, 0)

    def timeout_ctx(self) -> eventlet.Timeout:
        """Bound the wait for a connection's next request."""
        return eventlet.Timeout(self.cfg.keepalive or None, False)

    def is_already_handled(self, respiter: Any) -> bool:
        """Leave a connection alone whose websocket has ended: there is no response to write or to log."""
        if getattr(eventlet.wsgi.WSGI_LOCAL, "already_handled", False):
            eventlet.wsgi.WSGI_LOCAL.already_handled = False
            raise StopIteration
        return bool(super().is_already_handled(respiter))

    def run(self) -> None:
        """Accept until asked to stop; then let running requests finish within graceful_timeout."""
        pool = eventlet.GreenPool(self.worker_connections)
        acceptors = [eventlet.spawn(self._accept, GreenSocket(listener.sock), pool) for listener in self.sockets]
        while self.alive and self.ppid == os.getppid():
            self.notify()
            eventlet.sleep(0.5)
        for acceptor in acceptors:
            acceptor.kill()
        with eventlet.Timeout(self.cfg.graceful_timeout, False):
            pool.waitall()

    def _accept(self, listener: GreenSocket, pool: eventlet.GreenPool) -> None:
        while True:
            try:
                client, address = listener.accept()
            except OSError:  # the client left before it was accepted, or descriptors are short: neither ends the server
                eventlet.sleep(0.05)
                continue
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pool.spawn_n(self.handle, listener, client, address)
