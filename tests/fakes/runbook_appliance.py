"""A real config server with real node servers beside it, each on an address of its own: what runbooks need of an appliance."""

import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from fakes.registry_server import NODE, RegistryServer
from nodeward.core.client import Client
from nodeward.core.errors import NodewardError
from nodeward.core.wallet import NodeClient, Wallet
from support.until import until


class RunbookAppliance(RegistryServer):
    """Node `here` at 127.0.0.1, and `more` nodes at 127.0.0.2 and so on; a context that starts and ends all of them."""

    def __init__(self, var: Path, port: int, more: tuple[str, ...] = ()) -> None:
        super().__init__(var / NODE, NODEWARD_NODESERVER_PORT=str(port))
        self.node_port = port
        self.addresses = {name: f"127.0.0.{place}" for place, name in enumerate((NODE, *more), 1)}
        self.vars = {name: var / name for name in self.addresses}
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        super().__enter__()
        for name, address in self.addresses.items():
            if name != NODE:
                self.apply(f"{{kind: node, name: {name}, address: {address}}}")
            self.start_node(name)
        for name in self.addresses:
            self.wait_for_node(name)
        return self

    def __exit__(self, *given: object) -> None:
        for name in list(self._nodes):
            self.end_node(name)
        super().__exit__(*given)

    def start_node(self, name: str) -> None:
        """Start a node's node server."""
        var = self.vars[name]
        key = var / "secrets" / "node" / "enrol"
        key.parent.mkdir(parents=True, exist_ok=True)
        key.write_text(self.secret("node", "enrol"))
        own = {
            "NODEWARD_VAR": str(var), "NODEWARD_NODE": name, "NODEWARD_BIND": self.addresses[name],
            "NODEWARD_CONFIGSERVER_URL": self.url,
        }  # fmt: skip
        with (var / "node-screen").open("ab") as screen:
            self._nodes[name] = subprocess.Popen(
                [sys.executable, "-m", "nodeward.nodeserver.main"],
                env={**self.environment, **own},
                stdout=screen,
                stderr=screen,
            )

    def end_node(self, name: str, kill: bool = False) -> None:
        """End a node's node server."""
        process = self._nodes.pop(name)
        process.kill() if kill else process.terminate()
        process.wait(60)

    def node(self, name: str = NODE, token: str | None = None) -> Client:
        """Return a client of a node's node server for whoever has a token, by default the administrator."""
        asking = self.client(token or self.secret("cli", "token"))
        return NodeClient(name, f"http://{self.addresses[name]}:{self.node_port}", Wallet(asking), timeout=60.0)

    def node_token(self, name: str) -> str:
        """Return a node's own credential."""
        return (self.vars[name] / "secrets" / "nodeserver" / "token").read_text()

    def wait_for_node(self, name: str) -> None:
        """Wait until a node's node server is ready."""
        until(lambda: self._is_node_ready(name), 90, every=0.1)

    def run(self, runbook: str, node: str = NODE, **parameters: Any) -> dict[str, Any]:
        """Run a runbook to its end; return its row, with what it printed as `output`."""
        client = self.node(node)
        run = client.post("/api/v1/runs", {"runbook": runbook, "parameters": parameters})["id"]
        return self.over(run, node)

    def over(self, run: str, node: str = NODE, seconds: float = 100.0) -> dict[str, Any]:
        """Wait for a run's end; return its row, with what it printed as `output`."""
        client = self.node(node)
        row: dict[str, Any] = until(
            lambda: found if (found := client.get(f"/api/v1/runs/{run}"))["ended"] else None, seconds, every=0.1
        )
        events = client.get(f"/api/v1/runs/{run}/output")["items"]
        printed = "".join(event["text"] for event in events if event["type"] == "output")
        return {**row, "output": printed.replace("\r\n", "\n"), "events": events}

    def _is_node_ready(self, name: str) -> bool:
        assert self._nodes[name].poll() is None, (self.vars[name] / "node-screen").read_text()
        try:
            return bool(Client(self.node(name).url).get("/readyz")["status"] == "ready")
        except NodewardError:
            return False
