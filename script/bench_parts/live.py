"""How long a log line takes from being written until a browser has it: real log server, real web, raw websockets.

Every browser is a websocket that reads raw frames: a Socket.IO client that decodes would measure itself. One line in twenty
carries a mark and the moment it was sent to the log server; all browsers share one room, as those who look at the same do.
"""

import argparse
import base64
import http.cookiejar
import os
import re
import selectors
import socket
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from bench_parts import _table  # noqa: E402
from bench_parts._table import Row  # noqa: E402

from nodeward.core import clock  # noqa: E402
from support.log_page import PASSWORD, USER, LogPage  # noqa: E402

BATCHES_A_SECOND = 20
MARK = re.compile(rb"mark (\d{16})")


def main(arguments: list[str]) -> int:
    """Measure; print a table in Markdown."""
    parser = argparse.ArgumentParser(prog="script/bench live", description=__doc__)
    parser.add_argument("--browsers", type=int, default=300)
    parser.add_argument("--rate", type=int, default=1000, help="lines a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--mode", choices=("eventlet", "threading"), default="eventlet", help="what carries web")
    parser.add_argument("--quick", action="store_true", help="50 browsers for five seconds, for a first impression")
    options = parser.parse_args(arguments)
    browsers, seconds = (50, 5.0) if options.quick else (options.browsers, options.seconds)
    os.environ["NODEWARD_WEB_ASYNC"] = options.mode
    with tempfile.TemporaryDirectory() as directory, LogPage(Path(directory)) as page:
        cookie = log_in(page.url)
        sockets = [connect(page.url, cookie) for _ in range(browsers)]
        before = spent(page.web.pid)
        delays, frames = measure(page, sockets, options.rate, seconds)
        cost = (spent(page.web.pid) - before) / max(1, frames / len(sockets))
        memory = resident(page.web.pid)
        for each in sockets:
            each.close()
    delays.sort()
    rows = [
        Row("line written → frame in the browser, p50 ms", delays[len(delays) // 2] / 1000, bar=100, less=True),
        Row("the same, p99 ms", delays[int(len(delays) * 0.99)] / 1000, bar=250, less=True),
        Row("marked lines received", len(delays)),
        Row("frames to each browser", frames / browsers),
        Row("CPU of web for a frame to all of them, ms", cost * 1000, less=True, digits=1),
        Row("memory of web, MB", memory, less=True),
    ]
    print(_table.text(f"{browsers} browsers, {options.rate:,} lines a second, {options.mode}", None, rows))
    return 0


def measure(page: LogPage, sockets: list[socket.socket], rate: int, seconds: float) -> tuple[list[int], int]:
    """Write lines and read frames at the same time. Return the delays in µs of every marked line in every browser, and how
    many frames came to all of them together."""
    stop = threading.Event()
    writer = threading.Thread(target=write, args=(page, rate, seconds, stop))
    watch = selectors.DefaultSelector()
    rests = dict.fromkeys(sockets, b"")
    for each in sockets:
        each.setblocking(False)
        watch.register(each, selectors.EVENT_READ)
    delays: list[int] = []
    frames = 0
    writer.start()
    last = time.monotonic()
    while not stop.is_set() or time.monotonic() - last < 1.0:
        for ready, _ in watch.select(0.1):
            each: Any = ready.fileobj
            data = each.recv(1 << 20)
            if not data:
                raise SystemExit("web closed a connection")
            now, last = clock.now(), time.monotonic()
            frames += data.count(b'42["frame"')
            text = rests[each] + data
            found = list(MARK.finditer(text))
            delays += (now - int(mark[1]) for mark in found)
            rests[each] = text[max(found[-1].end() if found else 0, len(text) - 20) :]
            if data == b"\x89\x00" or data.endswith(b"\x012"):
                each.send(client_frame(b"3"))  # Engine.IO's ping
    writer.join()
    return delays, frames


def write(page: LogPage, rate: int, seconds: float, stop: threading.Event) -> None:
    """Write `rate` lines a second, evenly, in batches as a shipper would."""
    each = rate // BATCHES_A_SECOND
    begin = time.monotonic()
    for number in range(int(seconds * BATCHES_A_SECOND)):
        time.sleep(max(0.0, begin + number / BATCHES_A_SECOND - time.monotonic()))
        lines = [f"GET /shop/{number}/{place} 200 in 0.013 s, {'x' * 60}" for place in range(each - 1)]
        page.send(*lines, f"mark {clock.now():016d}")
    stop.set()


def log_in(url: str) -> str:
    """Log in as a browser does; return the cookie."""
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    form = opener.open(f"{url}/login").read().decode()
    csrf = re.search(r'name="csrf" value="([^"]+)"', form)
    assert csrf
    body = urllib.parse.urlencode({"name": USER, "password": PASSWORD, "csrf": csrf[1], "next": "/settings"})
    opener.open(f"{url}/login", body.encode()).read()
    return "; ".join(f"{each.name}={each.value}" for each in jar)


def connect(url: str, cookie: str) -> socket.socket:
    """Open a websocket, become a Socket.IO client by hand and join the room of all lines."""
    address = urllib.parse.urlsplit(url)
    made = socket.create_connection((address.hostname, address.port), 20)
    key = base64.b64encode(os.urandom(16)).decode()
    made.sendall(
        f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {address.netloc}\r\nOrigin: {url}\r\nCookie: {cookie}\r\n"
        f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    expect(made, b'"sid"')
    made.sendall(client_frame(b"40"))
    expect(made, b'40{"sid"')
    made.sendall(client_frame(b'420["join",{"kind":"logs","filters":{}}]'))
    expect(made, b"430[")
    return made


def expect(connection: socket.socket, what: bytes) -> None:
    """Read until `what` has come."""
    seen = b""
    while what not in seen:
        data = connection.recv(65536)
        if not data:
            raise SystemExit(f"web closed the connection before it said {what!r}: {seen[:200]!r}")
        seen += data


def client_frame(payload: bytes) -> bytes:
    """Return a websocket text frame as a client sends it (masked with zeros)."""
    return bytes([0x81, 0x80 | len(payload)]) + b"\0\0\0\0" + payload


def resident(pid: int) -> float:
    """Return the memory of a process and its children, in MB."""
    return max(each.memory_info().rss for each in family(pid)) / 1e6


def spent(pid: int) -> float:
    """Return the CPU time of a process and its children, in seconds."""
    return sum(sum(each.cpu_times()[:2]) for each in family(pid))


def family(pid: int) -> list[Any]:
    """Return a process and its children."""
    import psutil

    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]
