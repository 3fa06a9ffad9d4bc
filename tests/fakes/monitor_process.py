"""A real monitor process beside a fake config server, and what talks to it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fakes.config import FakeConfig
from nodeward.core import clock
from nodeward.core.client import Client
from nodeward.core.errors import NodewardError, NotAllowed, NotAuthenticated


class MonitorProcess:
    """`nodeward.monitor.main` as supervisor would start it; `start` returns once it is ready."""

    def __init__(self, var: Path, config: FakeConfig, port: int, **environment: str) -> None:
        self.config, self.port, self.var = config, port, var
        config.give_token(var, "monitor", config.token("monitor", "service"))
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("NODEWARD_")},
            "NODEWARD_VAR": str(var),
            "NODEWARD_MONITOR_PORT": str(port),
            "NODEWARD_CONFIGSERVER_URL": config.url,
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.viewer = self.client(config.tokens["viewer"])
        self.operator = self.client(config.tokens["operator"])

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process
        return self._process.pid

    def client(self, token: str) -> Client:
        """Return a client with that token."""
        return Client(self.url, token, timeout=60.0)

    def start(self) -> None:
        """Start it and wait until it is ready."""
        command = [sys.executable, "-m", "nodeward.monitor.main"]
        self._process = subprocess.Popen(command, env=self._environment, stderr=subprocess.DEVNULL)
        until(self._ready)

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run it to its end."""
        command = [sys.executable, "-m", "nodeward.monitor.main", *arguments]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=100)

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process
        self._process.kill()
        self._process.wait(60)

    def stop(self) -> int:
        """SIGTERM; return the exit code, -1 if it had ended before."""
        if self._process is None or self._process.poll() is not None:
            return -1
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)

    def log(self) -> str:
        """Return what it has logged."""
        return (self.var / "log" / "monitor.log").read_text()

    def _ready(self) -> bool:
        assert self._process and self._process.poll() is None, "the monitor ended"
        try:
            return bool(Client(self.url).get("/readyz")["status"] == "ready")
        except NodewardError:
            return False


class Reporter:
    """A node server's side: numbers its results and sends them."""

    def __init__(self, monitor: MonitorProcess, node: str, generation: str = "g1") -> None:
        self.node, self._generation, self._next = node, generation, 0
        self._client = monitor.client(monitor.config.node_token(node))
        until(self._is_known)

    def _is_known(self) -> bool:
        """A server asks for a credential that is new to it at most once a second."""
        try:
            self._client.get("/api/v1/summary")
        except NotAllowed:
            return True  # a node may not read states, but it is known
        except NotAuthenticated:
            return False
        return True

    def send(self, *results: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Send results as the next report."""
        report = self.report(*results, **more)
        self._next += len(results)
        return self.post(report)

    def report(self, *results: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Return the next report without sending it."""
        return {
            "reporter": self.node, "generation": self._generation, "first": self._next, "sent": clock.now(),
            "results": list(results), **more,
        }  # fmt: skip

    def post(self, report: dict[str, Any]) -> dict[str, Any]:
        """Send a report."""
        answer: dict[str, Any] = self._client.post("/api/v1/results", report)
        return answer

    def result(self, service: str | None, code: int, output: str = "", **more: Any) -> dict[str, Any]:
        """Return a result of now."""
        return {"node": self.node, "service": service, "code": code, "output": output, "started": clock.now(), **more}


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Return what `condition` gives as soon as that is true; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)
    return found
