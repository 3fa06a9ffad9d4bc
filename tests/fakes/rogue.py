"""A server that stands where a node's server should be, and remembers all that anybody shows it."""

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Seen:
    """A request, with everything that came."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def shown(self) -> str:
        """What it had as a token."""
        return dict(self.headers).get("Authorization", "").removeprefix("Bearer ")

    @property
    def whole(self) -> bytes:
        """All of it."""
        lines = [f"{self.method} {self.path}", *(f"{name}: {value}" for name, value in self.headers)]
        return "\n".join(lines).encode() + b"\n" + self.body


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked may go away at any time, also when the next test is at work: nothing is printed then."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Rogue:
    """Listens at an address while a `with` block lasts. `status` is what it answers: 200, or what might draw out more; `says`
    makes the content, given method and path (with its query). `port` 0 is any that is free."""

    def __init__(self, address: str, port: int) -> None:
        self.seen: list[Seen] = []
        self.status = 200
        self.says: Callable[[str, str], bytes] = lambda _method, _path: json.dumps(ANSWER).encode()
        rogue = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                rogue.seen.append(Seen(self.command, self.path, list(self.headers.items()), self._body()))
                data = rogue.says(self.command, self.path)
                self.send_response(rogue.status)
                self.send_header("WWW-Authenticate", 'Basic realm="who are you?"')
                self.send_header("Location", f"http://{address}:{rogue.port}/elsewhere")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - http.server's names

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                found = b""
                while size := int(self.rfile.readline(), 16):
                    found += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return found

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.handler = Handler
        self._server = _Server((address, port), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


ANSWER = {
    "items": [], "next": None, "node": "rogue", "caller": None, "id": "20260101-000000-rogue", "state": "succeeded",
    "ask": None, "cursor": "0", "files": {}, "before": {}, "programs": [], "running": 1, "faults": [], "changed": [],
    "restarted": [], "answers": True, "reachable": True, "address": "x", "steps": [], "runbook": "look", "by": "",
    "started": "2026-01-01T00:00:00Z", "seconds": 1, "parameters": {}, "service": "load", "output": "",
    "long_output": "", "duration": 0, "name": "tailflog", "log": "", "token": "none", "type": "about:blank",
    "title": "", "status": 0, "detail": "Who are you?", "instance": "/", "errors": [],
}  # fmt: skip
