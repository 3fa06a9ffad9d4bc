"""The log server as a real process on free ports, with a config server to stand on."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from fakes.config import FakeConfig
from nodeward.core import batch as wire
from nodeward.core.client import Client
from nodeward.core.errors import NodewardError
from nodeward.supervise.machine import processes
from support.until import until


class LogserverProcess:
    """Starts, kills and asks a log server. `viewer` and `service` are clients of it."""

    def __init__(self, var: Path, config: FakeConfig, free_port: Callable[[], int], **environment: str) -> None:
        self.var, self.port, self.syslog_port = var, free_port(), free_port()
        self._environment = {
            **os.environ,
            "NODEWARD_VAR": str(var),
            "NODEWARD_NODE": "appliance",
            "NODEWARD_CONFIGSERVER_URL": config.url,
            "NODEWARD_LOGSERVER_PORT": str(self.port),
            "NODEWARD_LOGSERVER_SYSLOG_PORT": str(self.syslog_port),
            **environment,
        }
        url = f"http://127.0.0.1:{self.port}"
        config.servers["logserver"] = url
        config.give_token(var, "logserver", config.tokens["service"])
        self.viewer = Client(url, config.tokens["viewer"], timeout=60.0)
        self.service = Client(url, config.tokens["service"], timeout=60.0)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.process = subprocess.Popen([sys.executable, "-m", "nodeward.logserver.main"], env=self._environment)
        until(self._ready)

    def stop(self) -> int:
        """Ask it to end and return its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(60)

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)

    def children(self) -> list[psutil.Process]:
        """Return its own processes."""
        assert self.process is not None
        return [child for child in psutil.Process(self.process.pid).children() if not processes.ended(child)]

    def send(self, *bodies: bytes, client: Client | None = None) -> dict[str, Any]:
        """Post batches and return the answer."""
        answer = (client or self.service).request(
            "POST", "/api/v1/batches", body=b"".join(bodies), headers={"Content-Type": wire.CONTENT_TYPE}
        )
        found: dict[str, Any] = answer.json()
        return found

    def logs(self, **query: Any) -> list[dict[str, Any]]:
        """Return every record that a search finds, over all its pages."""
        items, cursor = [], None
        while True:
            page = self.viewer.get("/api/v1/logs", {"limit": 1000, **query, "cursor": cursor})
            items += page["items"]
            cursor = page["next"]
            if cursor is None:
                return items

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "the log server ended"
        try:
            return bool(self.viewer.get("/readyz")["status"] == "ready")
        except NodewardError:
            return False
