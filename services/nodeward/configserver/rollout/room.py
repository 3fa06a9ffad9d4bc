"""Where rollouts run: one at a time, each an `ansible-playbook`, whoever started it: the page, the command line, or by hand.

Who rolls out holds a lease as long as signs of life come: a process that is killed, here or elsewhere, leaves no lock behind.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nodeward.configserver.rollout import records
from nodeward.configserver.rollout.records import Records, Row
from nodeward.core.errors import Conflict, Unavailable

log = logging.getLogger(__name__)

LEASE_SECONDS = 30.0
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV")


class Room:
    """Starts rollouts and sees to their end. `unit` is one look at the one that runs."""

    def __init__(
        self,
        found: Records,
        home: Path,
        data: Path,
        url: str,
        token: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.records = found
        self._home, self._data, self._url, self._token, self._monotonic = home, data, url, token, monotonic
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._number = 0
        self._heard = monotonic()

    def start(
        self,
        who: str,
        role: str,
        action: str,
        limit: str,
        canary: int,
        revision: int | None,
        variables: Mapping[str, Any] | None = None,
    ) -> Row:
        """Start a rollout (or a rollback) here, with more of the playbook's variables.

        Raise Conflict if one runs, Unavailable if Ansible is not installed.
        """
        row = self.begin(who, action, limit, canary, revision)
        words = [
            f"playbooks/{action}.yml",
            "--diff",
            "-e",
            json.dumps({"nodeward_canary": canary, **(variables or {})}),
            *([f"--limit={limit}"] * bool(limit)),
        ]
        try:
            self._spawn(row["id"], words, f"{who}; role={role}")
        except OSError as error:
            self.records.end(row["id"], records.FAILED, f"Ansible could not be started ({error}).")
            raise Unavailable(
                f"Ansible could not be started ({error}): this config server was installed without it."
            ) from None
        return row

    def begin(self, who: str, action: str, limit: str, canary: int, revision: int | None) -> Row:
        """Give somebody the lease, and the rollout its number. Raise Conflict if another rollout has it."""
        with self._lock:
            self._look()
            running = self.records.running()
            if running is not None:
                since = running["started"]
                raise Conflict(
                    f"Rollout {running['id']} by {running['who']} runs since {since}: wait for it, or abort it."
                )
            self._heard, self._child = self._monotonic(), None
            row = self.records.add(who, action=action, limit=limit, canary=canary, revision=revision)
            self._number = row["id"]
        return row

    def hear(self, number: int, events: list[Row]) -> Row:
        """Take in what the one who rolls out tells. Raise Conflict if that rollout has ended."""
        row = self.records.get(number)
        if row["state"] != records.RUNNING:
            raise Conflict(f"Rollout {number} has ended: {row['state']}. {row['reason']}".strip())
        self._heard = self._monotonic()
        for event in events:
            if "node" in event:
                self.records.node(number, **event)
            elif "ended" in event:
                self._end(number, bool(event["ended"]), str(event.get("reason", "")))
        return self.records.get(number)

    def abort(self, number: int, who: str) -> Row:
        """Let a rollout begin with no other node. Those at work are seen through: a node is never left between two bundles."""
        row = self.records.get(number)
        if row["state"] != records.RUNNING:
            raise Conflict(f"Rollout {number} has ended already: {row['state']}.")
        return row if row["aborted_by"] else self.records.change(number, aborted_by=who)

    def unit(self) -> bool:
        """See whether the rollout that runs still lives. Return False: there is nothing more to do for a moment."""
        with self._lock:
            self._look()
        return False

    def stop(self) -> None:
        """The config server ends: what runs here ends with it, and says so."""
        child, number = self._child, self._number
        if child is not None and child.poll() is None:
            os.killpg(child.pid, signal.SIGTERM)
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
            self.records.end(
                number, records.LOST, "The config server was stopped meanwhile; the next rollout completes it."
            )

    def _look(self) -> None:
        running = self.records.running()
        if running is None:
            return
        child = self._child if running["id"] == self._number else None
        if child is not None and child.poll() is not None:
            self._end(running["id"], child.returncode == 0, self._last_words(running["id"]))
        elif child is None and self._monotonic() > self._heard + LEASE_SECONDS:
            self.records.end(
                running["id"], records.LOST, "Nothing was heard of it any more; the next rollout completes it."
            )

    def _end(self, number: int, well: bool, reason: str) -> None:
        row = self.records.get(number)
        bad = {name: each for name, each in row["nodes"].items() if each["state"] in ("failed", "rolled back")}
        told = next((f"{name}: {each.get('detail', '')}" for name, each in bad.items()), reason)
        state = records.DONE if well and not bad else records.ABORTED if row["aborted_by"] else records.FAILED
        self.records.end(number, state, "" if state == records.DONE else told)

    def _last_words(self, number: int) -> str:
        lines = [line for line in self.records.output(number).splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith(("[ERROR]", "ERROR", "fatal:"))]
        return (errors or lines or ["Ansible said nothing."])[-1].removeprefix("[ERROR]: ")[:1000]

    def _spawn(self, number: int, words: list[str], on_behalf: str) -> None:
        kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        temporary = self._data / "ansible"
        named: dict[str, Any] = {
            "NODEWARD_URL": self._url, "NODEWARD_TOKEN": self._token, "NODEWARD_ON_BEHALF": on_behalf,
            "NODEWARD_ROLLOUT": str(number), "ANSIBLE_HOME": str(temporary), "ANSIBLE_LOCAL_TEMP": str(temporary / "tmp"),
            "HOME": str(temporary), "ANSIBLE_NOCOLOR": "1", "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip
        temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.records.path(number, "log").open("wb") as output:
            self._child = subprocess.Popen(
                [str(Path(sys.executable).with_name("ansible-playbook")), *words],
                cwd=self._home / "ansible",
                env={"LC_ALL": "C.UTF-8", **kept, **named},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
