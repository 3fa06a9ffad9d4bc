"""The monitor's routes over real HTTP in this process, with a real shelf and writer: no config server, no clock of its own."""

from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self

from fakes.monitor_world import document, node, service
from nodeward.core import clock, tokens
from nodeward.core import http as core_http
from nodeward.core.auth import Credential
from nodeward.core.client import Client
from nodeward.core.server import Server
from nodeward.monitor.adopt import adopt
from nodeward.monitor.board import Board
from nodeward.monitor.definitions import fleet
from nodeward.monitor.http import Parts, mount
from nodeward.monitor.observe import Observer
from nodeward.monitor.writer import Writer
from nodeward.store.sqlite_states import SqliteStateShelf


class Keys:
    """The credentials of this test."""

    def __init__(self) -> None:
        self._known: dict[str, Credential] = {}

    def find(self, identifier: str) -> Credential | None:
        return self._known.get(identifier)

    def make(self, role: str, of: str | None = None) -> str:
        token, identifier, digest = tokens.mint()
        self._known[identifier] = Credential(id=identifier, name=of or role, role=role, hash=digest, node=of)
        return token


class Api:
    """A server with nodes web-1 … web-3, and clients of each role."""

    def __init__(self, directory: Path) -> None:
        self.shelf = SqliteStateShelf(directory / "states.db")
        self.board = Board(self.shelf.load())
        self.writer, observer, keys = Writer(self.board, self.shelf), Observer(), Keys()
        self.definitions = SimpleNamespace(loaded=True, catch_up=lambda revision: None)
        app = core_http.create("monitor", "monitor", keys, list)
        mount(app, Parts(self.board, self.shelf, self.writer, observer, self.definitions, 3600.0))  # type: ignore[arg-type]
        self._server = Server(app, "127.0.0.1", 0, threads=8)
        self.writer.start()
        self._server.start()
        names = [f"web-{number}" for number in (1, 2, 3)]
        services = [service(name, each, attempts=1) for name in names for each in ("disk", "load")]
        defined = document(*(node(name, groups=["web"]) for name in names), services=tuple(services))
        self.writer.do(lambda draft: adopt(draft, observer, fleet(defined), 600.0))
        url = f"http://127.0.0.1:{self._server.port}"
        self.operator_token = keys.make("operator")
        self.viewer = Client(url, keys.make("viewer"), timeout=60.0)
        self.operator = Client(url, self.operator_token, timeout=60.0)
        self.nodes = {name: Client(url, keys.make("node", name), timeout=60.0) for name in names}
        self._sent = dict.fromkeys(names, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._server.stop()
        self.writer.stop()
        self.shelf.close()

    def send(self, name: str, said: str = "", **codes: int) -> Any:
        """Let a node report a code for each service."""
        rows = [
            {
                "node": name,
                "service": each,
                "code": code,
                "output": said or f"{each} says {code}",
                "started": clock.now(),
                "perfdata": "x=1",
            }
            for each, code in codes.items()
        ]
        first = self._sent[name]
        self._sent[name] += len(rows)
        body = {"reporter": name, "generation": "g", "first": first, "sent": clock.now(), "results": rows}
        return self.nodes[name].post("/api/v1/results", body)

    def rows(self, **query: Any) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.viewer.get("/api/v1/states", query)["items"]
        return items
