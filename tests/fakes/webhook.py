"""A web server that keeps what is posted to it: what a chat's or a pager's webhook is to a notifier."""

from types import TracebackType
from typing import Any, Self

from flask import Flask, request

from nodeward.core.server import Server


class WebhookSink:
    """Listens on a free port. `posts` are the JSON bodies taken; `status` other than 200 is what the next ones are answered."""

    def __init__(self) -> None:
        self.posts: list[dict[str, Any]] = []
        self.status = 200
        self.tried = 0
        app = Flask("webhook")

        @app.post("/<path:path>")
        def take(path: str) -> tuple[str, int]:
            self.tried += 1
            if self.status == 200:
                self.posts.append(request.get_json())
            return "", self.status

        self._server = Server(app, "127.0.0.1", 0, threads=2)

    @property
    def address(self) -> str:
        """Its host and port."""
        return f"127.0.0.1:{self._server.port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._server.stop()
