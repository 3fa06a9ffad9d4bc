"""The servers whose answers the pages show, asked in the name of whoever is logged in."""

from typing import Any

from flask import current_app, g, request

from nodeward.core.client import Client
from nodeward.core.ground import Ground
from nodeward.core.settings import port
from nodeward.core.wallet import Wallet, node_client
from nodeward.web.settings import WebSettings

ROLES = ("configserver", "logserver", "monitor", "web")


class Backends:
    """The clients of the other servers with web's own token (a service's), and of the nodes' with tickets for each.

    `asking` gives those of a person.
    """

    def __init__(self, settings: WebSettings, stand: Ground) -> None:
        self._settings, self._stand = settings, stand
        self._nodes: dict[str, Client] = {}
        self._tickets = Wallet(stand.config)
        reach = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.bind, settings.bind)  # noqa: S104 - told, not bound
        self._own = Client(f"http://{_bracketed(reach)}:{port('web')}", stand.token, timeout=5.0)

    def server(self, role: str) -> Client:
        """Return the client of a server. Raise Unavailable while nobody knows where it is.

        Web asks itself where it listens: its announced address is for browsers, and may not be reachable from here.
        """
        if role == "web":
            return self._own
        return self._stand.config if role == "configserver" else self._stand.servers.client(role)

    def node(self, name: str) -> Client:
        """Return the client of the node server on a node. Raise NotFound if the node is not known or has none."""
        found = self.server("configserver").get(f"/api/v1/objects/node/{name}")
        return self.node_of(found.get("object", found))

    def node_of(self, node: dict[str, Any]) -> Client:
        """The same, given what the config server says of the node: for many nodes at once it need not be asked for each."""
        name = str(node["name"])
        fresh = node_client(node, self._tickets, timeout=5.0)
        if name not in self._nodes or self._nodes[name].url != fresh.url:
            self._nodes[name] = fresh
        return self._nodes[name]


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def asking(client: Client) -> Client:
    """Return a client that asks in the name of whoever is logged in."""
    return client.acting_for(g.person.name, g.person.role, request.remote_addr)


def backends() -> Backends:
    """Return the app's servers, within a request."""
    found: Backends = current_app.extensions["backends"]
    return found


def config() -> Client:
    """The config server, asked by whoever is logged in."""
    return asking(backends().server("configserver"))


def monitor() -> Client:
    """The monitor, asked by whoever is logged in."""
    return asking(backends().server("monitor"))


def logs() -> Client:
    """The log server, asked by whoever is logged in."""
    return asking(backends().server("logserver"))


def node(name: str) -> Client:
    """A node's node server, asked by whoever is logged in."""
    return asking(backends().node(name))


def node_of(found: dict[str, Any]) -> Client:
    """The node server of a node that was read from the config server, asked by whoever is logged in."""
    return asking(backends().node_of(found))


def items(answer: Any) -> list[dict[str, Any]]:
    """Return the rows of a list's answer, whether it is `{"items": […]}` or a plain list."""
    found: list[dict[str, Any]] = answer if isinstance(answer, list) else answer.get("items", [])
    return found
