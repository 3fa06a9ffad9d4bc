"""The nodes' own servers, asked by the config server: what lies there, putting it in place, and whether a node is well."""

from collections.abc import Callable
from typing import Any

from nodeward.configserver.registry import Registry
from nodeward.core import clock
from nodeward.core.client import Client
from nodeward.core.errors import NodewardError, NotFound
from nodeward.core.wallet import Tickets, node_client
from nodeward.store.base_registry import Key

PUT_SECONDS = 150.0  # two programs look at their files, each with a minute at most
GOOD = ("RUNNING", "STOPPED")  # stopped by somebody: no business of a rollout


class Nodes:
    """Reaches each node where the registry says it is, with a ticket for it."""

    def __init__(self, registry: Registry, tickets: Tickets, monitor: Client) -> None:
        self._registry, self._tickets, self._monitor = registry, tickets, monitor
        self._clients: dict[str, Client] = {}

    def look(self, node: str) -> dict[str, Any]:
        """Return what lies on a node's disk and how its programs are. Raise NodewardError if that cannot be found out."""
        return self._ask(node, lambda client: client.get("/api/v1/bundle"))

    def put(self, node: str, files: dict[str, str], check: bool) -> dict[str, Any]:
        """Put files in place on a node. Raise BadInput with what its programs have against them."""
        body = {"files": files, "check": check}
        return self._ask(node, lambda client: client.put("/api/v1/bundle", body, timeout=PUT_SECONDS))

    def drain(self, node: str, given: dict[str, Any]) -> dict[str, Any]:
        """Let a node take no new runs, if what is to be done ends its node server. Return those under way."""
        return self._ask(node, lambda client: client.put("/api/v1/bundle/drain", given, timeout=30.0))

    def lift(self, node: str) -> dict[str, Any]:
        """Let a node take new runs again."""
        return self._ask(node, lambda client: client.delete("/api/v1/bundle/drain"))

    def programs(self, node: str, reload: bool, check: bool) -> dict[str, Any]:
        """Start anew, on a node, what its files changed for."""
        body = {"reload": reload, "check": check}
        return self._ask(node, lambda client: client.post("/api/v1/bundle/programs", body, timeout=90.0))

    def metrics(self, node: str) -> bytes:
        """Return a node server's figures, for those who have a token and can get no tickets."""
        found: bytes = self._client(node).request("GET", "/metrics").data
        return found

    def health(self, node: str, revision: int | None, heard_after: str | None, own: bool = True) -> dict[str, Any]:
        """Return whether a node is well, and if not, in what respects: its node server runs `revision` and its programs run (if
        `own`: the node server can be asked), and the monitor says it is up and has heard from it since `heard_after`."""
        state, reasons = self._seen_by_monitor(node)
        heard = state.get("last_check")
        if not reasons and heard_after and not (heard and later(heard, heard_after)):
            reasons.append("the monitor has not heard from it since")
        if own:
            reasons += self._own_faults(node, revision)
        return {"node": node, "well": not reasons, "reasons": reasons, "heard": heard}

    def _own_faults(self, node: str, revision: int | None) -> list[str]:
        try:
            found = self.look(node)
        except NodewardError as error:
            return [error.detail]
        return faults(found, revision)

    def _seen_by_monitor(self, node: str) -> tuple[dict[str, Any], list[str]]:
        try:
            rows = self._monitor.get("/api/v1/states", {"node": node, "kind": "node", "limit": 1}, timeout=5.0)["items"]
        except NodewardError as error:
            return {}, [error.detail]
        if not rows:
            return {}, ["the monitor does not know it yet"]
        state = rows[0]
        return state, [] if state["state"] == "UP" else [f"the monitor says it is {state['state']}: {state['output']}"]

    def _ask(self, node: str, ask: Callable[[Client], Any]) -> dict[str, Any]:
        found: dict[str, Any] = ask(self._client(node))
        return found

    def must_have_server(self, node: str) -> dict[str, Any]:
        """Return a node's object. Raise NotFound if there is no such node, or it has no node server."""
        body = self._registry.get(Key("node", node))
        if not body.get("agent", True):
            raise NotFound(f"Node '{node}' has no node server (agent: false).")
        return body

    def _client(self, node: str) -> Client:
        fresh = node_client(self.must_have_server(node), self._tickets)
        if node not in self._clients or self._clients[node].url != fresh.url:
            self._clients[node] = fresh
        return self._clients[node]


def faults(found: dict[str, Any], revision: int | None) -> list[str]:
    """Given what a node server says of itself, return what is not as it should be."""
    running = found.get("running")
    reasons = list(found.get("faults", []))
    if revision is not None and (running is None or running < revision):  # a later one may have reached it since
        reasons.append(f"its node server runs revision {running}, not {revision}")
    bad = [each for each in found.get("programs", []) if each["state"] not in GOOD]
    return reasons + [f"{each['name']} is {each['state']}" for each in bad]


def later(one: str, other: str) -> bool:
    """Whether a time is after another one."""
    return clock.parse_rfc3339(one) > clock.parse_rfc3339(other)
