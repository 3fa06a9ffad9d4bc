"""The monitor without threads, sockets and wall clock: what a test does happens at the moment the test says."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from nodeward.core.results import Report, Result
from nodeward.monitor.adopt import adopt
from nodeward.monitor.board import Board, Draft
from nodeward.monitor.definitions import fleet
from nodeward.monitor.dispatch import Outbox
from nodeward.monitor.flips import Flip
from nodeward.monitor.notifiers.base import Message
from nodeward.monitor.observe import Observer
from nodeward.monitor.receive import Receipt, receive
from nodeward.monitor.states import State
from nodeward.monitor.tick import Tick
from nodeward.store.base_states import Doc, EventQuery
from nodeward.store.sqlite_states import SqliteStateShelf

SECOND = 1_000_000
START = 1_780_000_000 * SECOND
Answer = TypeVar("Answer")


class Silent:
    """A notifier that is never reached: the world stops at the outbox."""

    def send(self, address: str, message: Message) -> None:
        raise AssertionError("nothing is sent in this world")

    def label(self, address: str) -> str:
        return address


class World:
    """A real shelf, board and tick. `now` moves with `wait`; `told` are the flips that went out, as words."""

    def __init__(self, directory: Path, document: Doc, **options: Any) -> None:
        self.now = START
        self._directory, self._document, self._options = directory, document, options
        self._numbers: dict[str, int] = {}
        self.open()

    def open(self) -> None:
        """Start the monitor, anew if it ran before."""
        self.shelf = SqliteStateShelf(self._directory / "states.db")
        self.board = Board(self.shelf.load())
        self.observer = Observer(slack=15.0, gather=self._options.get("gather", 0.0))
        self.outbox = outbox = Outbox(self.shelf, {"email": Silent(), "url": Silent()})
        clock = lambda: self.now  # noqa: E731
        remind = self._options.get("remind", 0.0)
        self.tick = Tick(self.board, self, self.observer, outbox, grace=90.0, remind=remind, now=clock)  # type: ignore[arg-type]
        self.define(self._document)
        self.tick.unit()

    def restart(self, away: float) -> None:
        """Kill the monitor and start it again so many seconds later."""
        self.shelf.close()
        self.now += int(away * SECOND)
        self.open()

    def define(self, document: Doc) -> None:
        """Let the config server say this."""
        self._document = document
        self.do(lambda draft: adopt(draft, self.observer, fleet(document), first_contact=600.0))

    def do(self, command: Callable[[Draft], Answer]) -> Answer:
        """What the writer does, here and now."""
        draft = Draft(self.board, self.now)
        answer = command(draft)
        self.shelf.write(draft.change())
        self.board.publish(draft)
        return answer

    def report(self, reporter: str, *results: tuple[str, str | None, int], ago: float = 0.0) -> Receipt:
        """Let a node server report (node, service, code), measured `ago` seconds before now; none is a sign of life."""
        started = self.now - int(ago * SECOND)
        rows = [
            Result(node=node, service=service, code=code, output=f"code {code}", started=started + place)
            for place, (node, service, code) in enumerate(results)
        ]
        first = self._numbers.get(reporter, 0)
        self._numbers[reporter] = first + len(rows)
        sent = Report(reporter=reporter, generation="g", first=first, sent=self.now, results=rows)
        receipt = self.do(lambda draft: receive(draft, self.observer, sent))
        self.tick.unit()
        return receipt

    def wait(self, seconds: float, *alive: str) -> None:
        """Let time pass, second by second; the nodes in `alive` give a sign of life each ten seconds."""
        for second in range(int(seconds)):
            self.now += SECOND
            if second % 10 == 9:
                for name in alive:
                    self.report(name)
            self.tick.unit()

    def state(self, node: str, service: str | None = None) -> State:
        """Return the state of a node or service."""
        return self.board.states[node, service]

    def flips(self) -> list[Doc]:
        """Return all flips, oldest first."""
        return self.shelf.flips(None, None, None, 10_000)[::-1]

    @property
    def told(self) -> list[str]:
        """Return what went out, e.g. ``web-1/disk CRITICAL``, in order; deliveries count as sent."""
        return [named(flip) for flip in self.flips() if flip["status"] == "told"]

    def deliver(self) -> None:
        """Let all that waits to be sent have been sent."""

        def sent(draft: Draft) -> None:
            for each in list(draft.deliveries.values()):
                draft.deliveries[each.id] = replace(each, status="sent", sent=draft.now)

        self.do(sent)

    def open_flip(self, node: str, service: str | None = None) -> Flip | None:
        """Return the flip of a node or service that is still to be told, if there is one."""
        return next((flip for flip in self.board.flips.values() if flip.key == (node, service)), None)

    def events(self, kind: str) -> list[Doc]:
        """Return the events of a type, oldest first."""
        return self.shelf.events(EventQuery(after=0, types=(kind,), limit=10_000))


def named(flip: Doc) -> str:
    """Return a flip in a word or two."""
    name = flip["node"] + (f"/{flip['service']}" if flip["service"] else "")
    return f"{name} {flip['state']}" + ("" if flip["kind"] == "problem" else f" ({flip['kind']})")


def node(name: str, **more: Any) -> Doc:
    """Return a node's definition with a contact."""
    return {"name": name, "agent": True, "interval": 30, "attempts": 1, "timeout": 5, "contacts": ["ann"], **more}


def service(of: str, name: str, **more: Any) -> Doc:
    """Return a service's definition."""
    return {"node": of, "service": name, "interval": 60, "retry": 10, "attempts": 2, "timeout": 10, **more}


def document(*nodes: Doc, services: tuple[Doc, ...] = (), **more: Any) -> Doc:
    """Return a `monitoring` document."""
    contacts = [{"name": "ann", "email": "ann@example.org"}]
    return {"revision": 1, "nodes": list(nodes), "services": list(services), "contacts": contacts, **more}
