"""One who opens many connections and says little keeps nobody else out."""

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest
import urllib3

from nodeward.core import fairness
from nodeward.core.fairness import ADMITTED, KNOWN_SECONDS, Shares
from nodeward.core.server import Server

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


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Four threads; nobody is at home here, so that this machine is a stranger."""
    who = fairness._who
    monkeypatch.setattr(fairness, "_who", lambda address: "stranger" if address == "127.0.0.1" else who(address))
    monkeypatch.setattr(fairness, "HEAD_SECONDS", 1.0)

    def app(environ, start_response):  # type: ignore[no-untyped-def]
        if environ["PATH_INFO"] == "/token":
            environ[ADMITTED] = True
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    made = Server(app, "127.0.0.1", 0, threads=4)
    made.start()
    yield made
    made.stop()


def drip(server: Server, stop: float) -> bytes:
    """Send a head a byte at a time; return what came back, nothing if the connection was ended."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as link, contextlib.suppress(OSError):
        while time.monotonic() < stop:
            link.sendall(b"G")
            link.settimeout(0.1)
            with contextlib.suppress(TimeoutError):
                return link.recv(100)
    return b"still open"


def test_a_head_that_drips_ends_however_slowly_it_does(server: Server) -> None:
    assert drip(server, time.monotonic() + 20) != b"still open"


def drip_body(server: Server, path: str) -> bytes:
    """Send a body a byte at a time for three times as long as a head may take; return what came back."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as link, contextlib.suppress(OSError):
        link.sendall(head.encode())
        until = time.monotonic() + 4
        while time.monotonic() < until:
            link.sendall(b"x")
            link.settimeout(0.1)
            with contextlib.suppress(TimeoutError):
                return link.recv(100)
        return b"still open"
    return b""


def test_a_body_that_drips_ends_unless_a_token_was_shown(server: Server) -> None:
    assert drip_body(server, "/") != b"still open"
    assert drip_body(server, "/token") == b"still open"


def test_an_address_that_cannot_be_taken_apart_is_the_callers_fault(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as link:
        link.sendall(b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert link.recv(100).startswith(b"HTTP/1.1 400 ")


def test_requests_sent_at_once_are_answered_one_after_the_other(server: Server) -> None:
    body = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
    last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as link:
        link.sendall(body + body + last)
        came = b"".join(iter(lambda: link.recv(4096), b""))
    assert came.count(b"HTTP/1.1 200 OK") == 3


def test_connections_that_say_nothing_leave_threads_for_others(server: Server) -> None:
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
    with urllib3.PoolManager(source_address=("127.0.0.2", 0)) as other:
        answer = other.request("GET", f"http://127.0.0.1:{server.port}/", timeout=30, retries=False)
    assert answer.status == 200
    for each in silent:
        each.close()


def test_who_waited_is_answered_when_its_turn_comes(server: Server) -> None:
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(8)]
    answer = urllib3.request("GET", f"http://127.0.0.1:{server.port}/", timeout=30, retries=False)
    assert answer.status == 200
    for each in silent:
        each.close()
