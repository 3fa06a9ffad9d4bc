"""One who opens many connections and says little keeps nobody else out."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import urllib3

from nodeward.core import fairness
from nodeward.core.fairness import ADMITTED, HEAD_SECONDS, KNOWN_SECONDS, Shares
from nodeward.core.server import Server
from support.until import until

STRANGER, OTHER = "192.0.2.1", "192.0.2.2"


def test_a_stranger_has_its_share_and_the_rest_waits_in_turn() -> None:
    shares = Shares(2)
    assert [shares.take(STRANGER, name) for name in "abcd"] == [True, True, False, False]
    assert shares.take(OTHER, "x")
    assert [shares.give_back(STRANGER) for _ in range(4)] == ["c", "d", None, None]
    assert shares.take(STRANGER, "e")


def test_who_has_shown_a_token_is_no_stranger_for_a_while() -> None:
    now = [0.0]
    shares = Shares(1, lambda: now[0])
    shares.know(STRANGER)
    assert all(shares.take(STRANGER, name) for name in "abc")
    now[0] = KNOWN_SECONDS
    assert not shares.take(STRANGER, "d")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_no_stranger(address: str) -> None:
    shares = Shares(1)
    assert all(shares.take(address, name) for name in "abc")


def test_the_addresses_of_a_network_of_ipv6_are_one_and_a_mapped_one_is_the_old_one() -> None:
    shares = Shares(1)
    assert shares.take("2001:db8::1", "a") and not shares.take("2001:db8::ffff:2", "b")
    assert shares.take("2001:db8:0:1::1", "c")
    assert shares.take("::ffff:192.0.2.1", "d") and not shares.take(STRANGER, "e")


class Clock:
    """The time by which a request is late; it stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(fairness, "time", made)
    return made


@pytest.fixture
def asked() -> threading.Event:
    """Set once a request was handed to the app."""
    return threading.Event()


@pytest.fixture
def server(clock: Clock, asked: threading.Event, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Four threads; nobody is at home here, so that this machine is a stranger."""
    who = fairness._who
    monkeypatch.setattr(fairness, "_who", lambda address: "stranger" if address == "127.0.0.1" else who(address))

    def app(environ, start_response):  # type: ignore[no-untyped-def]
        if environ["PATH_INFO"] == "/token":
            environ[ADMITTED] = True
        asked.set()
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    made = Server(app, "127.0.0.1", 0, threads=4)
    made.start()
    yield made
    made.stop()


def connected(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=60)


def ends(link: socket.socket, clock: Clock) -> bool:
    """Send one byte more, a quarter of a head's time after the last one. Return whether the other side has ended that."""
    clock.now += HEAD_SECONDS / 4
    try:
        link.sendall(b"G")
        link.settimeout(0.1)
        link.recv(100)
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def test_a_head_that_drips_ends_however_slowly_it_does(server: Server, clock: Clock) -> None:
    with connected(server) as link:
        until(lambda: ends(link, clock))


def test_a_body_that_drips_ends_unless_a_token_was_shown(server: Server, clock: Clock, asked: threading.Event) -> None:
    head = "POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    with connected(server) as link:
        link.sendall(head.format("/").encode())
        assert asked.wait(60)
        until(lambda: ends(link, clock))
    asked.clear()
    with connected(server) as link:
        link.sendall(head.format("/token").encode())
        assert asked.wait(60)
        for _ in range(12):  # three times as long as a head may take
            assert not ends(link, clock)
            server._server.end_late()


def test_an_address_that_cannot_be_taken_apart_is_the_callers_fault(server: Server) -> None:
    with connected(server) as link:
        link.sendall(b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert link.recv(100).startswith(b"HTTP/1.1 400 ")


def test_requests_sent_at_once_are_answered_one_after_the_other(server: Server) -> None:
    body = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with connected(server) as link:
        link.sendall(body + body + last)
        came = b"".join(iter(lambda: link.recv(4096), b""))
    assert came.count(b"HTTP/1.1 200 OK") == 3


def test_connections_that_say_nothing_leave_threads_for_others(server: Server) -> None:
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
    with urllib3.PoolManager(source_address=("127.0.0.2", 0)) as other:
        answer = other.request("GET", f"http://127.0.0.1:{server.port}/", timeout=90, retries=False)
    assert answer.status == 200
    for each in silent:
        each.close()


def test_who_waited_is_answered_when_its_turn_comes(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fairness, "time", time)
    monkeypatch.setattr(fairness, "HEAD_SECONDS", 1.0)
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(8)]
    answer = urllib3.request("GET", f"http://127.0.0.1:{server.port}/", timeout=90, retries=False)
    assert answer.status == 200
    for each in silent:
        each.close()


@pytest.mark.parametrize("head", ["Content-Length: 999999999999", "Transfer-Encoding: chunked"])
def test_a_body_that_nobody_wants_is_not_read_to_its_end(server: Server, head: str) -> None:
    """Nor into memory: cheroot alone would read all of it at once. Who sent it hears the answer all the same."""
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n" if "chunked" in head else b"x" * 65536
    sent = 0
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as link:
        link.sendall(f"POST /token HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode())
        with contextlib.suppress(OSError):
            while sent < 256 * fairness.MOST_UNREAD:
                link.sendall(piece)
                sent += len(piece)
        assert link.recv(100).startswith(b"HTTP/1.1 200 OK")
    assert sent < 256 * fairness.MOST_UNREAD
