"""From this node to another: where it is (the config server says so, and nobody else), and how far one gets.

A node shows its peer a ticket that the config server gave it for that one. `needs(OPERATOR, NODE)` on a route of a node server
admits it, and `principal().node` says which node it is.
"""

import time
from typing import Any, NamedTuple

from nodeward.core.client import Client
from nodeward.core.errors import NodewardError, NotFound, TicketRefused, Unavailable
from nodeward.core.ports import port
from nodeward.core.wallet import NodeClient, Wallet, node_url
from nodeward.nodeserver.checks.base import CannotTell, why
from nodeward.nodeserver.checks.icmp import ping

PAUSE, PATIENCE, ANSWER_SECONDS = 0.2, 5.0, 5.0
HELLO = "/api/v1/peers/hello"


class Peer(NamedTuple):
    """Another node, as the config server knows it; `agent` says whether it has a node server."""

    name: str
    address: str
    agent: bool

    @property
    def url(self) -> str:
        """Where its node server answers."""
        return node_url(self.address)


class Peers:
    """The other nodes. `config` is asked in this node's name, for where they are and for tickets to show them."""

    def __init__(self, node: str, config: Client) -> None:
        self._node, self._config, self._tickets = node, config, Wallet(config)

    def find(self, name: str) -> Peer:
        """Look a node up at the config server. Raise NotFound if it knows none of that name, or no address of it."""
        found = self._config.get("/api/v1/find", {"name": name})
        row = next((row for row in found["items"] if row.get("name") == name), None)
        if row is None:
            raise NotFound(f"The config server knows no node '{name}'.")
        if not row.get("address"):
            raise NotFound(f"The config server knows no address of node '{name}'; give it one.")
        return Peer(name, str(row["address"]), bool(row.get("agent", True)))

    def client(self, peer: Peer, timeout: float = 10.0) -> Client:
        """Return the client of a peer's node server. Raise NotFound if it has none."""
        if not peer.agent:
            raise NotFound(f"Node '{peer.name}' has no node server (agent: false).")
        return NodeClient(peer.name, peer.url, self._tickets, timeout)

    def ping(self, name: str, count: int) -> dict[str, Any]:
        """Return how far one gets from here to a node: each step, how long it took, and the first thing that failed."""
        peer = self.find(name)
        times, echo = self._echo(peer, count)
        steps = [echo]
        if peer.agent:
            steps.append(self._hello(peer))
        came = [one for one in times if one is not None]
        answered = steps[-1] if peer.agent else None
        return {
            "from": self._node, "to": name, "address": peer.address,
            "port": port("nodeserver") if peer.agent else None,
            "reachable": bool(came) or bool(answered and answered["ok"]),
            "answers": answered and answered["ok"],
            "loss": 100.0 * (len(times) - len(came)) / len(times) if times else None,
            "times": [round(one, 6) for one in came],
            "error": next((f"{step['step']}: {step['detail']}" for step in steps if not step["ok"]), None),
            "steps": steps,
        }  # fmt: skip

    def _echo(self, peer: Peer, count: int) -> tuple[list[float | None], dict[str, Any]]:
        began = time.perf_counter()
        try:
            times = ping(peer.address, count, PAUSE, PATIENCE)
        except CannotTell as error:
            return [], _step("echo", False, began, f"{self._node} may not send ICMP: {error}")
        except OSError as error:
            return [None] * count, _step("echo", False, began, f"{peer.address}: {why(error)}")
        came = [one for one in times if one is not None]
        if not came:
            return times, _step("echo", False, began, f"{peer.address} sent none of {count} back")
        mean = sum(came) / len(came)
        return times, {
            "step": "echo",
            "ok": True,
            "seconds": round(mean, 6),
            "detail": f"{len(came)} of {count} came back",
        }

    def _hello(self, peer: Peer) -> dict[str, Any]:
        began = time.perf_counter()
        try:
            answer = self.client(peer, ANSWER_SECONDS).get(HELLO)
        except TicketRefused as error:
            return _step("answer", False, began, f"{peer.name} refuses {self._node}: {error.why}")
        except Unavailable as error:
            return _step(
                "answer", False, began, f"no node server answers at {peer.address}, port {port('nodeserver')}: {error}"
            )
        except NodewardError as error:
            return _step("answer", False, began, f"{peer.name} refuses {self._node}: {error}")
        there = answer["node"]
        if there != peer.name:
            return _step("answer", False, began, f"at {peer.address} answers node '{there}', not '{peer.name}'")
        return _step("answer", True, began, f"{peer.name} knows {self._node} by its ticket")


def _step(step: str, ok: bool, began: float, detail: str) -> dict[str, Any]:
    return {"step": step, "ok": ok, "seconds": round(time.perf_counter() - began, 6), "detail": detail}
