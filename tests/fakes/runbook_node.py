"""A real node server that runs runbooks a test declares, asked over HTTP as people ask it."""

import json
import os
from pathlib import Path
from typing import Any

import psutil
import urllib3
import yaml

from fakes.config import FakeConfig
from fakes.monitor import FakeMonitor
from fakes.nodeserver import NodeserverProcess
from support.until import until

SECONDS = 100.0
ENDS = ("succeeded", "failed", "stopped", "interrupted")


class RunbookNode(NodeserverProcess):
    """The node server of node web-1, with its runs."""

    def __init__(self, config: FakeConfig, monitor: FakeMonitor, var: Path, **environment: str) -> None:
        super().__init__(config, monitor, var, **environment)
        config.nodes = [{"name": "web-1", "address": "127.0.0.1", "groups": ["web"], "labels": {}}]

    def has(self, text: str, name: str = "book") -> None:
        """Let the config server have a runbook: its keys as YAML."""
        self.config.runbooks[name] = {"kind": "runbook", "name": name, **yaml.safe_load(text)}

    def post(self, path: str, body: Any, role: str = "operator") -> tuple[int, Any]:
        """Post JSON with a role's ticket; return status and answer."""
        return self.send("POST", path, body, self.config.tokens[role])

    def send(self, method: str, path: str, body: Any, token: str) -> tuple[int, Any]:
        """Send a request with the ticket of whoever has that token; return status and answer."""
        shown = self.ticket(method, f"/api/v1/{path}", token)
        answer = urllib3.request(
            method, f"http://127.0.0.1:{self.port}/api/v1/{path}", body=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {shown}", "Content-Type": "application/json"}, retries=False, timeout=60,
        )  # fmt: skip
        return answer.status, json.loads(answer.data)

    def begin(self, name: str = "book", **parameters: Any) -> str:
        """Start a run; return its id."""
        status, answer = self.post("runs", {"runbook": name, "parameters": parameters})
        assert status == 201, answer
        return str(answer["id"])

    def run(self, name: str = "book", **parameters: Any) -> dict[str, Any]:
        """Start a run and wait for its end; return its row."""
        return self.over(self.begin(name, **parameters))

    def row(self, run: str) -> dict[str, Any]:
        """Return a run's row."""
        status, answer = self.ask(f"/api/v1/runs/{run}", "viewer")
        assert status == 200, answer
        found: dict[str, Any] = answer
        return found

    def over(self, run: str, seconds: float = SECONDS) -> dict[str, Any]:
        """Wait for a run's end; return its row."""
        return until(lambda: row if (row := self.row(run))["state"] in ENDS else None, seconds, every=0.1)  # type: ignore[return-value]

    def until_state(self, run: str, state: str, seconds: float = SECONDS) -> dict[str, Any]:
        """Wait until a run is in a state; return its row."""
        return until(lambda: row if (row := self.row(run))["state"] == state else None, seconds, every=0.1)  # type: ignore[return-value]

    def events(self, run: str) -> list[dict[str, Any]]:
        """Return everything of a run's journal."""
        found: list[dict[str, Any]] = []
        after = "0"
        while True:
            _, answer = self.ask(f"/api/v1/runs/{run}/output?after={after}", "viewer")
            if not answer["items"]:
                return found
            found += answer["items"]
            after = answer["cursor"]

    def output(self, run: str) -> str:
        """Return what a run printed."""
        return "".join(event["text"] for event in self.events(run) if event["type"] == "output").replace("\r\n", "\n")

    def until_printed(self, run: str, text: str, seconds: float = SECONDS) -> None:
        """Wait until a run has printed a text."""
        until(lambda: text in self.output(run), seconds, every=0.1)

    def says(self, text: str, parameters: dict[str, Any] | None = None, state: str = "succeeded") -> str:
        """Run a runbook of this text to its end; return what it printed."""
        self.has(text)
        row = self.run(**(parameters or {}))
        assert row["state"] == state, (row, self.output(row["id"]), self.said()[-3000:])
        return self.output(row["id"])

    def files(self) -> bytes:
        """Return everything that lies under its directory: records, logs, spools."""
        return b"\n".join(_content(Path(folder, name)) for folder, _, names in os.walk(self.var) for name in names)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes() if path.is_file() else b""
    except FileNotFoundError:
        return b""  # the server has replaced it, or given it up, this moment


def processes_of(run: str) -> list[psutil.Process]:
    """Return the processes that bear a run's mark."""
    found = []
    for each in psutil.process_iter():
        try:
            if each.environ().get("NODEWARD_RUN") == run and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
        except (psutil.Error, OSError):
            pass  # gone
    return found
