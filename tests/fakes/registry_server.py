"""The config server as a real process of its own, with its state where the test says, asked over HTTP."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from nodeward.core.client import Client
from nodeward.core.errors import NodewardError
from support.ports import free_port
from support.until import until

ROOT = Path(__file__).resolve().parents[2]
NODE = "here"
LOCAL = str(ROOT / "config" / "fleet" / "local.yaml")


class RegistryServer:
    """One config server under `var`, node `here` in its first fleet. `start` waits until it is ready; `stop` gives its exit code.

    As a context it is started, and ended if it still runs.
    """

    def __init__(self, var: Path, fleet: str = LOCAL, **environment: str) -> None:
        self.var = var
        self.port = free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("NODEWARD_")},
            "NODEWARD_VAR": str(var),
            "NODEWARD_NODE": NODE,
            "NODEWARD_CONFIGSERVER_PORT": str(self.port),
            "NODEWARD_LOGSERVER_PORT": str(free_port()),
            "NODEWARD_CONFIGSERVER_FLEET": fleet,
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None
        return self._process.pid

    @property
    def screen(self) -> str:
        """What this start of it has printed so far."""
        return (self.var / "screen").read_text()

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.var.mkdir(parents=True, exist_ok=True)
        with (self.var / "screen").open("wb") as screen:
            self._process = subprocess.Popen(
                self._command(), env=self.environment, stdout=screen, stderr=screen, stdin=subprocess.DEVNULL
            )
        until(self._is_ready, 90, every=0.05)

    def stop(self) -> int:
        """Ask it to end, and return its exit code; nothing of it is left."""
        assert self._process is not None
        self._process.terminate()
        try:
            return self._process.wait(60)
        finally:
            self._process.kill()

    def kill(self) -> None:
        """SIGKILL it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(60)

    def fail(self) -> tuple[int, str]:
        """Start it where it cannot: return its exit code and what it said."""
        self.var.mkdir(parents=True, exist_ok=True)
        ended = subprocess.run(
            self._command(), env=self.environment, capture_output=True, text=True, timeout=100, check=False
        )
        return ended.returncode, ended.stdout + ended.stderr

    def secret(self, *path: str) -> str:
        """Return what lies in a file below its secrets."""
        return self.var.joinpath("secrets", *path).read_text()

    def client(self, token: str) -> Client:
        """Return a client that shows a token."""
        return Client(self.url, token, timeout=60.0)

    @property
    def admin(self) -> Client:
        """A client that may do everything a person may."""
        return self.client(self.secret("cli", "token"))

    @property
    def service(self) -> Client:
        """A client of the appliance's own, such as the monitor."""
        return self.client(self.secret("monitor", "token"))

    def apply(self, text: str, **query: str) -> dict[str, Any]:
        """Apply a fleet's text; return the outcome."""
        answer = self.admin.request("POST", "/api/v1/apply", body=text.encode(), query=query)
        outcome: dict[str, Any] = answer.json()
        return outcome

    def enrol(self, node: str, **more: str) -> dict[str, str]:
        """Enrol a node with the key; return the answer."""
        body = {"key": self.secret("node", "enrol"), "node": node, **more}
        answer: dict[str, str] = Client(self.url, timeout=60.0).post("/api/v1/enrol", body)
        return answer

    def nodeward(self, *arguments: str, given: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run the command line on the same machine, as the one who owns the appliance."""
        return subprocess.run(
            [sys.executable, "-m", "nodeward.cli.main", *arguments],
            env={**self.environment, **environment},
            input=given,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "nodeward.configserver.main"]

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.screen
        try:
            return bool(Client(self.url, timeout=10.0).get("/readyz")["status"] == "ready")
        except NodewardError:
            return False
