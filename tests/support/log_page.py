"""The log page for real: a log server and a web server as processes of their own, and a browser in front of them."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fakes.fleet import FakeFleet, FleetConfig, wait_until_ready
from nodeward.core import clock
from nodeward.core.batch import CONTENT_TYPE, Builder, encode
from nodeward.core.client import Client
from support.ports import free_port

USER, PASSWORD = "vera", "correct horse battery"
SECOND = 1_000_000


class LogPage:
    """The servers under `var`; `url` is the page's. `send` and `write` put lines into the log server."""

    def __init__(self, var: Path) -> None:
        self._var = var
        self._ports = {role: free_port() for role in ("logserver", "web")}
        self._config = FleetConfig()
        self._fleet = FakeFleet(self._config)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._offset = 0
        self.url = f"http://127.0.0.1:{self._ports['web']}"
        self.server = f"http://127.0.0.1:{self._ports['logserver']}"

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _begin(self) -> None:
        self._config.__enter__()
        self._fleet.__enter__()
        self._config.servers["logserver"] = self.server
        self._config.users[USER] = (PASSWORD, "viewer")
        self._config.objects["user"][USER] = {"kind": "user", "name": USER, "role": "viewer"}
        for role in self._ports:
            self._config.give_token(self._var, role, self._config.token(role, "service"))
        for role in self._ports:
            self.start(role)
        self.client = Client(self.server, self._config.tokens["service"], timeout=60.0)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(60)
        self._fleet.__exit__()
        self._config.__exit__(kind, error, where)

    def start(self, role: str) -> subprocess.Popen[bytes]:
        """Start one of the servers and wait until it answers."""
        environment = {
            **os.environ,
            "NODEWARD_VAR": str(self._var),
            "NODEWARD_NODE": "here",
            "NODEWARD_CONFIGSERVER_URL": self._config.url,
            "NODEWARD_LOGSERVER_SYSLOG_PORT": "0",
            **{f"NODEWARD_{name.upper()}_PORT": str(number) for name, number in self._ports.items()},
        }
        with (self._var / f"{role}.screen").open("ab") as screen:
            process = subprocess.Popen(
                [sys.executable, "-m", f"nodeward.{role}.main"], env=environment, stdout=screen, stderr=screen
            )
        self._processes.append(process)
        wait_until_ready(f"http://127.0.0.1:{self._ports[role]}")
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """Stop one of the servers."""
        process.terminate()
        process.wait(60)
        self._processes.remove(process)

    @property
    def web(self) -> "subprocess.Popen[bytes]":
        """The web server's process."""
        return self._processes[-1]

    def send(self, *messages: str, source: str = "app", node: str = "web-1", level: int = 6) -> None:
        """Store lines that were written just now."""
        self.write(((clock.now(), message, level) for message in messages), source=source, node=node)

    def write(self, rows: Iterable[tuple[int, str, int]], source: str = "app", node: str = "web-1") -> None:
        """Store lines of other times: (µs since 1970, message, severity)."""
        builder = Builder(node, source, "one", f"/var/log/{source}.log", "raw")
        for time, message, level in rows:
            raw = message.encode()
            builder.add(raw, self._offset, time=time, level=level, host=node, ident="shop")
            self._offset += len(raw) + 1
        body = encode(builder.build(self._offset))
        self.client.request("POST", "/api/v1/batches", body=body, headers={"Content-Type": CONTENT_TYPE})

    def log_in(self, page: Any) -> None:
        """Log a browser's page in."""
        page.goto(f"{self.url}/login")
        page.fill("input[name=name]", USER)
        page.fill("input[name=password]", PASSWORD)
        page.click("form button")
        page.wait_for_url(f"{self.url}/")
