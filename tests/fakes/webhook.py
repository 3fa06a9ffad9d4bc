"""A web server that keeps what is posted to it: what a chat's or a pager's webhook is to a notifier."""

from typing import Any

from flask import Flask, request

from fakes.serving import Serving


class WebhookSink(Serving):
    """Listens on a free port. `posts` are the JSON bodies taken; `status` other than 200 is what the next ones are answered."""

    def __init__(self) -> None:
        self.posts: list[dict[str, Any]] = []
        self.status = 200
        self.tried = 0
        app = Flask("webhook")

        @app.post("/<path:path>")
        def take(path: str) -> tuple[str, int]:
            status = (
                self.status
            )  # as it is when a post comes: who sees it tried may let the next ones be answered otherwise
            if status == 200:
                self.posts.append(request.get_json())
            self.tried += 1
            return "", status

        super().__init__(app, threads=2)
