"""A real node server process, with a config server and a monitor beside it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import urllib3

from fakes.config import FakeConfig
from fakes.monitor import FakeMonitor
from support.ports import free_port


def check(
    service: str | None, *, plugin: str | None = None, command: list[str] | None = None, **more: Any
) -> dict[str, Any]:
    """Return a check as it stands in nodeserver.json."""
    return {
        "node": "web-1", "address": "127.0.0.1", "service": service, "plugin": plugin, "command": command,
        "args": {}, "env": {}, "interval": 60.0, "retry": 15.0, "attempts": 3, "timeout": 10.0, **more,
    }  # fmt: skip


class NodeserverProcess:
    """`python -m nodeward.nodeserver.main` for node web-1, its state under `var`."""

    def __init__(self, config: FakeConfig, monitor: FakeMonitor, var: Path, **environment: str) -> None:
        self.config, self.monitor, self.var, self.environment = config, monitor, var, environment
        config.servers = {"monitor": monitor.url}
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        key = var / "secrets" / "node" / "enrol"
        key.parent.mkdir(parents=True, exist_ok=True)
        key.write_text(config.enrol_key)

    def give(self, checks: list[dict[str, Any]], revision: int = 1, heartbeat: float = 1.0) -> None:
        """Let the config server have this as the node's bundle."""
        node = {"name": "web-1", "address": "127.0.0.1", "groups": [], "labels": {}}
        file = {
            "written_by": "nodeward configserver", "revision": revision, "node": node, "logserver": None,
            "monitor": self.monitor.url, "heartbeat": heartbeat, "checks": checks,
        }  # fmt: skip
        self.config.bundles["web-1"] = {
            "node": "web-1", "revision": revision, "files": {"nodeserver.json": json.dumps(file)},
        }  # fmt: skip

    def start(self) -> None:
        """Start it; it is not waited for."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NODEWARD_")}
        own = {
            "NODEWARD_VAR": str(self.var), "NODEWARD_NODE": "web-1", "NODEWARD_CONFIGSERVER_URL": self.config.url,
            "NODEWARD_NODESERVER_PORT": str(self.port),
        }  # fmt: skip
        with (self.var / "screen").open("ab") as screen:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "nodeward.nodeserver.main"],
                env={**kept, **own, **self.environment}, stdout=screen, stderr=screen,
            )  # fmt: skip

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it; return its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=60)

    def ask(self, path: str, role: str = "admin", method: str = "GET", body: Any = None) -> tuple[int, Any]:
        """Send a request with a role's ticket, and `body` as JSON if there is one; return status and JSON."""
        headers = {"Authorization": f"Bearer {self.ticket(method, path, self.config.tokens[role])}"}
        url = f"http://127.0.0.1:{self.port}{path}"
        data = {} if body is None else {"json": body}
        answer = urllib3.request(method, url, headers=headers, retries=False, timeout=60, **data)
        return answer.status, json.loads(answer.data)

    def ticket(self, method: str, path: str, token: str) -> str:
        """Return a ticket for a request to this node, for whoever has that token."""
        return self.config.ticket(token, "web-1", "GET" if method == "GET" else f"{method} {path.partition('?')[0]}")

    def said(self) -> str:
        """Return what it wrote to the screen."""
        return (self.var / "screen").read_text()

    def wait_until_ready(self, seconds: float = 90.0) -> None:
        """Wait until it has its configuration and answers."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and (self.process is None or self.process.poll() is None):
            try:
                answer = urllib3.request("GET", f"http://127.0.0.1:{self.port}/readyz", retries=False, timeout=10)
                if answer.status == 200:
                    return
            except urllib3.exceptions.HTTPError:
                pass  # not yet
            time.sleep(0.05)
        raise AssertionError(f"the node server did not become ready:\n{self.said()}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
