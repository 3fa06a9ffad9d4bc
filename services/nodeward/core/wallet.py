"""Asking node servers: each is shown a ticket for itself, and nothing else (docs/decisions/0804).

A `Wallet` gets the tickets from the config server and keeps each until shortly before its end; `NodeClient` shows them.
"""

import copy
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self
from urllib.parse import unquote

import urllib3

from nodeward.core import bounded, told
from nodeward.core.client import Client
from nodeward.core.errors import NodewardError, NotAuthenticated, NotFound, TicketRefused, Unavailable
from nodeward.core.ports import port

LOOK = "GET"
EARLY = 0.2  # of a ticket's time that is left when another one is asked for
PAUSE_SECONDS = 5.0  # between two questions to a config server that does not answer, while there is a ticket in force
MOST = 10_000


class Tickets(Protocol):
    """Where tickets come from."""

    def ticket(self, node: str, may: str) -> str:
        """Return a ticket for a node, to look (GET) or for a single deed (a method and a path)."""

    def forget(self, node: str, may: str) -> None:
        """The node did not take that ticket: the next one is to be a new one."""

    def acting_for(self, user: str, role: str, address: str | None = None) -> Self:
        """Return where the tickets of a person come from."""


@dataclass
class _Kept:
    ticket: str
    renew: float
    end: float


class Wallet:
    """Tickets from the config server, for whoever its client asks for. Safe to use from several threads."""

    def __init__(self, config: Client, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._config, self._monotonic = config, monotonic
        self._whom = ""
        self._kept: dict[tuple[str, str, str], _Kept] = {}
        self._lock = threading.Lock()

    def acting_for(self, user: str, role: str, address: str | None = None) -> "Wallet":
        """Return the tickets of a person: they are kept in the same place, apart from everybody else's."""
        other = copy.copy(self)
        other._config, other._whom = self._config.acting_for(user, role, address), f"{user}\n{role}\n{address}"
        return other

    def ticket(self, node: str, may: str) -> str:
        """Return a ticket. Raise NodewardError with the config server's sentence if there is none, and none is left."""
        which = (self._whom, node, may)
        now = self._monotonic()
        kept = self._kept.get(which)
        if kept is not None and now < kept.renew:
            return kept.ticket
        try:
            answer = self._config.post("/api/v1/tickets", {"node": node, "may": may})
        except Unavailable as error:
            if kept is not None and self._monotonic() < kept.end:
                kept.renew = min(kept.end, self._monotonic() + PAUSE_SECONDS)
                return kept.ticket
            raise Unavailable(
                f"Node '{node}' cannot be asked now: it wants a ticket, which only the config server gives. {error.detail}"
            ) from None
        self._keep(which, answer, now)
        return str(answer["ticket"])

    def forget(self, node: str, may: str) -> None:
        """Keep that ticket no longer."""
        with self._lock:
            self._kept.pop((self._whom, node, may), None)

    def _keep(self, which: tuple[str, str, str], answer: Mapping[str, Any], asked: float) -> None:
        seconds = float(answer["seconds"])
        with self._lock:
            if len(self._kept) >= MOST:
                for key in [key for key, kept in self._kept.items() if kept.end <= asked] or list(self._kept):
                    del self._kept[key]
            self._kept[which] = _Kept(answer["ticket"], asked + seconds * (1 - EARLY), asked + seconds)


class NodeClient(Client):
    """The client of a node server. Raises what `Client` raises, and what the tickets' source says if there is none.

    What is there may be anything: NotOurs is raised for an answer that is not what a node server answers to that call.
    """

    def __init__(self, node: str, url: str, tickets: Tickets, timeout: float = 10.0) -> None:
        super().__init__(url, None, timeout)
        self.node, self._tickets = node, tickets
        self._bounded = bounded.pool()

    def acting_for(self, user: str, role: str, address: str | None = None) -> "NodeClient":
        """Return a client of the same pool that asks in a person's name, from where they are."""
        other = copy.copy(self)
        other._tickets = self._tickets.acting_for(user, role, address)
        return other

    def _pool_for(self, preload: bool) -> urllib3.PoolManager:
        return self._bounded if preload else self._pool

    def _content(
        self, method: str, path: str, query: Mapping[str, Any] | None, answer: urllib3.BaseHTTPResponse
    ) -> Any:
        return told.answer(self.node, method, path, query, answer.data)

    def _failure(self, method: str, path: str, answer: urllib3.BaseHTTPResponse, data: bytes) -> NodewardError:
        return told.harmless_failure(super()._failure(method, path, answer, data))

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | Iterable[bytes] | None = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        preload: bool = True,
    ) -> urllib3.BaseHTTPResponse:
        """Send one request. A kept ticket that is not taken (another key signs by now) is replaced once."""
        self._full(path, query)  # what leads elsewhere is refused before a ticket is asked for
        may = LOOK if method in ("GET", "HEAD") else f"{method} {unquote(path)}"
        again = body is None or isinstance(body, bytes)  # else it is sent already
        while True:
            shown = {**(headers or {}), "Authorization": f"Bearer {self._tickets.ticket(self.node, may)}"}
            try:
                return super().request(
                    method, path, body=body, query=query, headers=shown, timeout=timeout, preload=preload
                )
            except NotAuthenticated as error:
                self._tickets.forget(self.node, may)
                if not again:
                    raise TicketRefused(
                        f"'{self.node}' does not take the ticket that it is shown: {error.detail}", why=error.detail
                    ) from None
                again = False


def node_url(address: str) -> str:
    """Return where the node server at an address answers."""
    return f"http://{f'[{address}]' if ':' in address else address}:{port('nodeserver')}"


def node_client(node: Mapping[str, Any], tickets: Tickets, timeout: float = 10.0) -> NodeClient:
    """Return the client of a node's server. Raise NotFound if the node has none, Unavailable if nobody knows where it is."""
    name = str(node["name"])
    if node.get("agent") is False:
        elsewhere = f"'{node['checked_from']}'" if node.get("checked_from") else "elsewhere"
        raise NotFound(f"Node '{name}' has no node server (agent: false); it is checked from {elsewhere}.")
    if not node.get("address"):
        raise Unavailable(f"Node '{name}' has no address, so its node server cannot be asked; give it one.")
    return NodeClient(name, node_url(str(node["address"])), tickets, timeout)
