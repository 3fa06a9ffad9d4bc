"""A log server's receiving half over real HTTP, for tests: it stores what is posted, by key, and can behave badly on command.

It keeps every record under (node, source, generation, offset), so a repeat is told from something new, as the log server does.
"""

import threading
import time
from collections import Counter
from types import TracebackType
from typing import Any, Self

from flask import Flask, Response, jsonify, request

from nodeward.core import batch
from nodeward.core.errors import BadInput
from nodeward.core.server import Server
from support.ports import free_port


class Sink:
    """Answers `POST /api/v1/batches`. What a test sets in `answer_with`, `delay`, `lose_answer` holds for the next requests."""

    def __init__(self, port: int = 0) -> None:
        self.records: dict[tuple[str, str, str, int], batch.Record] = {}
        self.order: list[tuple[str, str, str, int]] = []
        self.batches: Counter[tuple[str, str, str]] = Counter()
        self.repeated = 0
        self.requests = 0
        self.answer_with: list[int] = []  # a status for each of the next requests, before anything is stored
        self.fail_after_commit = 0  # so many requests are stored and then answered with 500
        self.delay = 0.0
        self.refuse_source = ""  # batches of this source are never taken
        self.most_bytes = 0  # bodies above get 413
        self.token = ""
        self.speaks_for: str | None = None  # the node of the token
        self.lock = threading.Lock()
        self.arrived = threading.Condition(self.lock)
        self._port = port or free_port()  # given, so that it can be had again: one that cheroot chose may not
        self._server = self._made()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to answer, on the same port every time."""
        self._server.start()

    def stop(self) -> None:
        """Go away."""
        self._server.stop()

    def again(self) -> None:
        """Come back after `stop`, on the same port."""
        self._server = self._made()
        self._server.start()

    def raws(self, source: str | None = None) -> list[bytes]:
        """Return the raw lines stored, in the order in which they came: of one source, or all but the roles' own."""
        with self.lock:
            return [self.records[key].raw for key in self.order if _wanted(key[1], source)]

    def wait_for(self, count: int, seconds: float = 60.0, source: str | None = None) -> list[bytes]:
        """Return the raw lines once there are `count`. Raise AssertionError if that takes too long."""
        deadline = time.monotonic() + seconds
        with self.arrived:
            while (came := sum(_wanted(key[1], source) for key in self.order)) < count:
                left = deadline - time.monotonic()
                assert left > 0, f"{came} of {count} lines came within {seconds} s"
                self.arrived.wait(min(left, 1.0))
        return self.raws(source)

    def _made(self) -> Server:
        server = Server(self._app(), "127.0.0.1", self._port, threads=4)
        self._port = server.port
        return server

    def _app(self) -> Flask:
        app = Flask("fake-sink")

        @app.get("/api/v1/whoami")
        def whoami() -> tuple[Response, int]:
            if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
                return _problem(401, "That token is not known.")
            return jsonify(name="a test", role="node" if self.speaks_for else "service", node=self.speaks_for), 200

        @app.post("/api/v1/batches")
        def batches() -> tuple[Response, int]:
            self.requests += 1
            time.sleep(self.delay)
            if self.answer_with and (status := self.answer_with.pop(0)) >= 300:
                return _problem(status, f"The sink was told to answer {status}.")
            if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
                return _problem(401, "That token is not known.")
            body = request.get_data()
            if self.most_bytes and len(body) > self.most_bytes:
                return _problem(413, "The body is too large.")
            try:
                made = [one for one, _ in batch.decode(body)]
            except BadInput as error:
                return _problem(422, str(error))
            if any(one.source == self.refuse_source for one in made):
                return _problem(422, f"Source '{self.refuse_source}' is refused.")
            accepted = sum(self._store(one) for one in made)
            if self.fail_after_commit:
                self.fail_after_commit -= 1
                return _problem(500, "It is stored, but the answer is lost.")
            return jsonify(accepted=accepted, repeated=0), 200

        return app

    def _store(self, one: batch.Batch) -> int:
        new = 0
        with self.arrived:
            self.batches[one.node, one.source, one.generation] += 1
            for record in batch.records(one, received=time.time_ns() // 1000):
                key = (record.node, record.source, record.generation, record.offset)
                if key in self.records:
                    assert self.records[key].raw == record.raw, "the same key came with other bytes"
                    self.repeated += 1
                    continue
                self.records[key] = record
                self.order.append(key)
                new += 1
            self.arrived.notify_all()
        return new


def _wanted(source: str, asked: str | None) -> bool:
    return source == asked if asked else source != "nodeward"


def _problem(status: int, detail: str) -> tuple[Any, int]:
    answer = jsonify(type="about:blank", title="", status=status, detail=detail, instance=request.path, errors=[])
    answer.content_type = "application/problem+json"
    return answer, status
