"""Config server, log server and monitor as real processes over one store: what an appliance keeps, without nodes and pages."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from fakes.registry_server import NODE, RegistryServer
from nodeward.core import batch as wire
from nodeward.core import clock
from nodeward.core.client import Client
from nodeward.core.errors import NodewardError
from support.ports import free_port
from support.until import until

PORTS = {"logserver": "NODEWARD_LOGSERVER_PORT", "monitor": "NODEWARD_MONITOR_PORT"}


class ThreeRoles(RegistryServer):
    """Starts all three, and each anew when it ends, as supervisor would, except those in `held`."""

    def __init__(self, var: Path, store: str = "sqlite:") -> None:
        more = {name: str(free_port()) for name in (*PORTS.values(), "NODEWARD_LOGSERVER_SYSLOG_PORT")}
        super().__init__(var, NODEWARD_STORE=store, NODEWARD_MONITOR_GATHER="0", **more)
        self.environment["NODEWARD_CONFIGSERVER_URL"] = self.url
        self.held: set[str] = set()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ending = threading.Event()
        self._keeper = threading.Thread(target=self._keep)

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        if self._keeper.is_alive():
            self._keeper.join()
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(60)
            finally:
                process.kill()

    def start(self) -> None:
        """Start all three and wait until they are ready."""
        self.var.mkdir(parents=True, exist_ok=True)
        try:
            self._begin("configserver")
            until(lambda: self._runs() and _answers(self.url), 90, every=0.05)
            for role in PORTS:
                self._begin(role)
            until(lambda: self._runs() and all(_answers(self.address(role)) for role in PORTS), 90, every=0.05)
        except BaseException:
            self.__exit__()
            raise
        self._keeper.start()

    def address(self, role: str) -> str:
        """Where a role answers."""
        return f"http://127.0.0.1:{self.environment[PORTS[role]]}"

    def of(self, role: str) -> Client:
        """A client of a role, with the appliance's own administrator's token."""
        return Client(self.address(role), self.secret("cli", "token"), timeout=60.0)

    def ended(self, role: str) -> bool:
        """Whether a role does not run."""
        return self._processes[role].poll() is not None

    def wait(self, role: str) -> None:
        """Wait until a role that was started anew is ready."""
        until(lambda: _answers(self.address(role)), 90, every=0.05)

    def begin_command(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start the command line, to be killed."""
        return subprocess.Popen(
            [sys.executable, "-m", "nodeward.cli.main", *arguments],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def send(self, body: bytes) -> None:
        """Store batches."""
        client = Client(self.address("logserver"), self.secret("monitor", "token"), timeout=60.0)
        client.request("POST", "/api/v1/batches", body=body, headers={"Content-Type": wire.CONTENT_TYPE})

    def report(self, *results: dict[str, Any], first: int = 0) -> dict[str, Any]:
        """Send results of node `here` as its node server would."""
        filled = [{"node": NODE, "started": clock.now(), **each} for each in results]
        report = {"reporter": NODE, "generation": "g", "first": first, "sent": clock.now(), "results": filled}
        answer: dict[str, Any] = Client(self.address("monitor"), self.node_token, timeout=60.0).post(
            "/api/v1/results", report
        )
        return answer

    def lines(self, **query: Any) -> list[str]:
        """Return what a search finds, over all its pages, in the order of its time."""
        found: list[str] = []
        cursor = None
        while True:
            asked = {"limit": 1000, "order": "asc", **query, "cursor": cursor}
            page = self.of("logserver").get("/api/v1/logs", asked)
            found += [item["raw"] for item in page["items"]]
            cursor = page["next"]
            if cursor is None:
                return found

    @property
    def node_token(self) -> str:
        """The credential of node `here`, enrolled when it is first asked for."""
        path = self.var / "node-token"
        if not path.exists():
            path.write_text(self.enrol(NODE)["token"])
        return path.read_text()

    def _begin(self, role: str) -> None:
        with (self.var / f"screen-{role}").open("ab") as screen:
            self._processes[role] = subprocess.Popen(
                [sys.executable, "-m", f"nodeward.{role}.main"],
                env=self.environment,
                stdout=screen,
                stderr=screen,
                stdin=subprocess.DEVNULL,
            )

    def _keep(self) -> None:
        while not self._ending.wait(0.05):
            for role in self._processes:
                if role not in self.held and self.ended(role):
                    self._begin(role)

    def _runs(self) -> bool:
        for role in self._processes:
            assert not self.ended(role), (self.var / f"screen-{role}").read_text()
        return True


def _answers(url: str) -> bool:
    try:
        return bool(Client(url, timeout=10.0).get("/readyz")["status"] == "ready")
    except NodewardError:
        return False
