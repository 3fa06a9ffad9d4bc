"""Config server, log server, monitor, node server and web as processes of their own, under one NODEWARD_VAR, for a browser.

The node `local` has one service, `lamp`, whose plugin says what the file `lamp` says: `turn("CRITICAL", "dark")`.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fakes.fleet import wait_until_ready
from nodeward.core.client import Client
from support.until import until

PASSWORD = "correct horse battery staple"
ROLES = ("configserver", "logserver", "monitor", "nodeserver", "web")
CODES = {"OK": 0, "WARNING": 1, "CRITICAL": 2, "UNKNOWN": 3}
PLUGIN = """#!/bin/sh
. {lamp}
echo "$text | light=$code;1;2;0;3"
exit $code
"""
FLEET = """
kind: node
name: local
address: 127.0.0.1
groups: [linux]
---
kind: check
name: lamp
assign: {{nodes: [local]}}
command: {plugin}
interval: 1s
retry: 1s
attempts: 1
---
kind: user
name: vera
role: viewer
"""


class ApplianceInView:
    """The appliance; `url` is its page. `asynchronous` is what web runs on."""

    def __init__(self, var: Path, free_port: Callable[[], int], asynchronous: str) -> None:
        self.var = var
        self._lamp, self._plugin = var / "lamp", var / "check_lamp"
        self._ports = {role: free_port() for role in ROLES}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {
            **os.environ,
            "NODEWARD_VAR": str(var),
            "NODEWARD_NODE": "local",
            "NODEWARD_ADMIN_PASSWORD": PASSWORD,
            "NODEWARD_LOGSERVER_SYSLOG_PORT": "0",
            "NODEWARD_WEB_ASYNC": asynchronous,
            "NODEWARD_WEB_CONNECTIONS": "100",
            **{f"NODEWARD_{role.upper()}_PORT": str(number) for role, number in self._ports.items()},
        }
        self.url = self.address("web")

    def address(self, role: str) -> str:
        """Return where a role answers."""
        return f"http://127.0.0.1:{self._ports[role]}"

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()

    def _begin(self) -> None:
        self.turn("OK", "bright")
        self._plugin.write_text(PLUGIN.format(lamp=self._lamp))
        self._plugin.chmod(0o755)
        self.start("configserver")
        token = (self.var / "secrets/cli/token").read_text().strip()
        self.config = Client(self.address("configserver"), token, timeout=60.0)
        self.apply(FLEET.format(plugin=self._plugin))
        self.config.put("/api/v1/users/vera/password", {"password": PASSWORD})
        for role in ROLES[1:]:
            self.start(role)
        self.monitor = Client(self.address("monitor"), token, timeout=60.0)
        until(lambda: self.state() == "OK")

    def apply(self, text: str) -> Any:
        """Put documents into the config server."""
        headers = {"Content-Type": "application/yaml"}
        return self.config.request("POST", "/api/v1/apply", body=text.encode(), headers=headers).json()

    def state(self) -> str:
        """Return the state of the lamp, as the monitor knows it."""
        rows = self.monitor.get("/api/v1/states", {"node": "local", "service": "lamp"})["items"]
        return str(rows[0]["state"]) if rows else ""

    def turn(self, state: str, text: str) -> None:
        """Let the lamp's next check say so."""
        fresh = self._lamp.with_suffix(".new")
        fresh.write_text(f"code={CODES[state]}\ntext='{text}'\n")
        fresh.replace(self._lamp)

    def start(self, role: str) -> None:
        """Start a role and wait until it answers."""
        with (self.var / f"{role}.screen").open("ab") as screen:
            self._processes[role] = subprocess.Popen(
                [sys.executable, "-m", f"nodeward.{role}.main"], env=self.environment, stdout=screen, stderr=screen
            )
        wait_until_ready(self.address(role))

    def end(self, role: str) -> None:
        """Stop a role."""
        process = self._processes.pop(role)
        process.terminate()
        process.wait(60)

    def said(self, role: str) -> str:
        """Return what a role has printed."""
        return (self.var / f"{role}.screen").read_text()

    def stop(self) -> None:
        """Stop all roles."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.wait(60)
        self._processes.clear()
