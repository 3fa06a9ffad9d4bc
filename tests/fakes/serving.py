"""What every small HTTP server of the tests has in common: a Flask app served on loopback while a `with` block lasts."""

from types import TracebackType
from typing import Self

from flask import Flask

from nodeward.core.server import Server


class Serving:
    """A server around `app`, on a free port unless one is given."""

    def __init__(self, app: Flask, port: int = 0, threads: int = 4) -> None:
        self._server = Server(app, "127.0.0.1", port, threads=threads)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.port

    @property
    def address(self) -> str:
        """Its host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self.address}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._server.stop()
