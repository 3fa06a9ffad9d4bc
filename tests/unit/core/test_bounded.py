"""What a node server answers is read up to a limit, and for so long: what has no end keeps no thread and fills no memory."""

import gzip
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from flask import Flask, Response, request

from fakes.serving import Serving
from fakes.tickets import Always
from nodeward.core import bounded, client
from nodeward.core.errors import NodewardError, NotAllowed, Unavailable
from nodeward.core.wallet import NodeClient

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
MOST = 100_000


class Hostile:
    """Listens, and answers every connection with pieces, one after the other, until nobody takes them any more."""

    def __init__(self, pieces: Callable[[], Iterator[bytes]]) -> None:
        self._pieces = pieces
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._listen)]

    def __enter__(self) -> "Hostile":
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with socket.create_connection(self._listener.getsockname()):
            pass
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _listen(self) -> None:
        while True:
            line, _ = self._listener.accept()
            if self._over.is_set():
                line.close()
                return
            thread = threading.Thread(target=self._answer, args=(line,))
            self._threads.append(thread)
            thread.start()

    def _answer(self, line: socket.socket) -> None:
        with line:
            try:
                line.recv(65536)
                for piece in self._pieces():
                    if self._over.wait(0.02 if len(piece) == 1 else 0):
                        return
                    line.sendall(piece)
            except OSError:
                pass  # whoever asked has gone


def endless() -> Iterator[bytes]:
    yield HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    while True:
        yield b"1000\r\n" + b" " * 4096 + b"\r\n"


def dripping() -> Iterator[bytes]:
    yield HEAD + b"Content-Length: 100000\r\n\r\n"
    while True:
        yield b" "


def dripping_head() -> Iterator[bytes]:
    yield HEAD + b"X-Long: "
    while True:
        yield b"x"


def continuing() -> Iterator[bytes]:
    while True:
        yield b"HTTP/1.1 100 Continue\r\n\r\n"


def many_headers() -> Iterator[bytes]:
    yield HEAD
    for number in range(100_000):
        yield b"X-%d: y\r\n" % number


def packed() -> Iterator[bytes]:
    body = gzip.compress(b" " * 50_000_000)
    yield HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def nested() -> Iterator[bytes]:
    body = b"[" * 90_000
    yield HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def nested_refusal() -> Iterator[bytes]:
    body = b"[" * 90_000
    yield b"HTTP/1.1 400 No\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize("answer", [dripping, dripping_head])
def test_an_answer_that_takes_no_end_of_time_is_given_up(
    answer: Callable[[], Iterator[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "MORE_SECONDS", 0.1)
    with Hostile(answer) as hostile, pytest.raises(Unavailable, match="timed out"):
        NodeClient("web-1", hostile.url, Always(), timeout=0.4).get("/api/v1/info")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (endless, "has no end"), (continuing, "has no end"), (many_headers, "headers"), (packed, "not JSON"),
        (nested, "nested too deeply"), (nested_refusal, "400 No"),
    ],
)  # fmt: skip
def test_what_it_answers_is_an_error_whatever_it_is(
    answer: Callable[[], Iterator[bytes]], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "MOST_BYTES", MOST)
    with Hostile(answer) as hostile, pytest.raises(NodewardError, match=says):
        NodeClient("web-1", hostile.url, Always(), timeout=20.0).get("/api/v1/info")


def test_a_line_serves_several_answers_each_with_limits_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Flask("node")
    lines: set[str] = set()

    @app.get("/api/v1/info")
    def info() -> Response:
        lines.add(request.environ["REMOTE_PORT"])
        return Response("{" + " " * 1000 + "}")

    with Serving(app) as node:
        asking = NodeClient("web-1", node.url, Always(), timeout=20.0)
        monkeypatch.setattr(bounded, "MOST_BYTES", 1500)
        assert [asking.get("/api/v1/info") for _ in range(3)] == [{}, {}, {}]
        assert len(lines) == 1
        monkeypatch.setattr(bounded, "MOST_BYTES", 900)
        with pytest.raises(Unavailable, match="has no end"):
            asking.get("/api/v1/info")


def test_a_refusal_that_has_no_end_is_read_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "REASON_BYTES", 20_000)

    def refusing() -> Iterator[bytes]:
        yield b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n"
        while True:
            yield b"1000\r\n" + b" " * 4096 + b"\r\n"

    with Hostile(refusing) as hostile, pytest.raises(NotAllowed, match="403 No"):
        NodeClient("web-1", hostile.url, Always(), timeout=20.0).open("/api/v1/files")


def test_what_is_read_piece_by_piece_may_be_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "MOST_BYTES", MOST)
    with Hostile(endless) as hostile:
        answer = NodeClient("web-1", hostile.url, Always(), timeout=20.0).open("/api/v1/files")
        assert len(answer.read(2 * MOST)) == 2 * MOST
        answer.close()


def test_the_time_limit_of_a_line_is_what_it_was() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(7.0)
        theirs.sendall(b"abc")
        with bounded.Bounded(ours.makefile("rb", buffering=0), ours, 10, 60.0) as reader:
            assert reader.read(3) == b"abc"
            assert ours.gettimeout() == 7.0
        with bounded.Bounded(ours.makefile("rb", buffering=0), ours, 10, 0.0) as late, pytest.raises(TimeoutError):
            late.read(3)
