"""The runs of this node: each has a process of its own and a record; what was cut off is found at the next start.

A run ends with the node server: its process sees the line to here close, ends everything it started and says so. If it was killed
as well, the next start ends what bears the run's mark and writes the end that is missing.
"""

import json
import logging
import queue
import secrets
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psutil
from pydantic import ValidationError

from nodeward.core import clock, runbook, runbook_parameters
from nodeward.core.client import Client
from nodeward.core.errors import BadInput, Conflict, NodewardError, NotFound, Problem, TooMany
from nodeward.core.http import problems_of
from nodeward.core.news import News
from nodeward.core.program import Worker
from nodeward.core.words import counted
from nodeward.nodeserver.runbooks import record, tree
from nodeward.nodeserver.runbooks.course import FAILED, INTERRUPTED
from nodeward.nodeserver.runbooks.drain import Drain
from nodeward.nodeserver.runbooks.record import ASKING, Record
from nodeward.nodeserver.settings import NodeserverSettings

log = logging.getLogger(__name__)

HIDDEN = "•••••"
CALLER_SECONDS = 120.0  # after so long without its caller, a called run is stopped
STOP_SECONDS = 12.0
MOST_WATCHERS = 6  # who wait at the same time; the others get an answer at once
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Asked:
    """What somebody wants run. `caller` is the node and run that call it, and the runbook that says so; `proof` is the ticket
    that was shown."""

    runbook: str
    parameters: dict[str, Any]
    by: str
    via: str | None = None
    caller: dict[str, str] | None = None
    proof: str | None = field(default=None, repr=False)


class Run:
    """A run under way: its record, its process, the line to it."""

    def __init__(self, kept: Record, process: "subprocess.Popen[bytes]", line: socket.socket) -> None:
        self.record, self.process, self.line = kept, process, line
        self.seen = time.monotonic()
        self._sending = threading.Lock()

    def say(self, what: dict[str, Any]) -> None:
        """Tell its process something; one that has ended hears nothing."""
        try:
            with self._sending:
                self.line.sendall(json.dumps(what).encode() + b"\n")
        except OSError:
            pass  # its end is on its way


class Runs:
    """Starts, follows, stops and remembers runs. A part of the node server."""

    def __init__(self, settings: NodeserverSettings, config: Client) -> None:
        self._settings, self.config = settings, config
        self._folder = settings.data / "runs"
        self.drain = Drain(settings.data)
        self._changed = News()
        self._records: dict[str, Record] = {}
        self._running: dict[str, Run] = {}
        self._watchers = threading.BoundedSemaphore(MOST_WATCHERS)
        self._deeds: queue.SimpleQueue[dict[str, str | None]] = queue.SimpleQueue()
        self._teller = Worker("deeds", self._tell_deed, idle=1.0)
        self._keeper = Worker("runs", self._look_after, idle=5.0)
        self._stopping = False

    # A part of the program

    def start(self) -> None:
        """Find the records, and end what is left of runs that were cut off."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for directory in sorted(each for each in self._folder.iterdir() if each.is_dir()):
            if (kept := record.load(directory)) is not None:
                self._records[kept.id] = kept
        for kept in [each for each in self._records.values() if not each.over]:
            recover(kept)
        self._teller.start()
        self._keeper.start()

    def stop(self) -> None:
        """End the runs: each ends what it started, and says so."""
        with self._changed:
            self._stopping = True
            running = list(self._running.values())
        for run in running:
            _close(run.line)
        until = time.monotonic() + STOP_SECONDS
        for run in running:
            try:
                run.process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                run.process.kill()
        with self._changed:
            self._changed.wait_for(lambda: not self._running, 5.0)
        self._keeper.stop()
        self._teller.stop()

    @property
    def alive(self) -> bool:
        """Whether it does its work."""
        return self._keeper.alive and self._teller.alive

    # What people and other nodes ask for

    def begin(self, asked: Asked) -> Record:
        """Start a run. Raise NotFound, BadInput with every fault of the parameters, TooMany, Unavailable while none may begin, or
        what the config server says."""
        answer = self.config.get(f"/api/v1/runbooks/{asked.runbook}")
        plan = _plan(asked.runbook, answer["runbook"])
        values = runbook_parameters.values(plan.parameters, asked.parameters)
        facts = self._facts()
        about = {
            "runbook": asked.runbook, "revision": answer["revision"], "node": self._settings.node, "by": asked.by,
            "via": asked.via, "caller": asked.caller, "started": clock.now(),
            "parameters": {name: HIDDEN if plan.parameters[name].type == "secret" and value else _short(value)
                           for name, value in values.items()},
        }  # fmt: skip
        with self._changed:
            if self._stopping:
                raise Conflict("The node server is about to end.")
            if len(self._running) >= self._settings.runs:
                raise TooMany(
                    f"{counted(len(self._running), 'run')} under way on this node, and no more may be at a time."
                )
            kept = record.create(self._folder / _name(), about)
        try:
            self.drain.must_take(called=asked.caller is not None)
            self._note(asked.by, "run", kept, asked.proof, wait=True)
            self._launch(kept, {"body": answer["runbook"], "values": values, "node": facts})
        except (NodewardError, OSError) as error:
            record.remove(kept)
            raise (
                error if isinstance(error, NodewardError) else Conflict(f"The run cannot be started ({error}).")
            ) from None
        log.info("run %s: runbook '%s' was started by %s", kept.id, asked.runbook, asked.by)
        return kept

    def get(self, name: str) -> Record:
        """Return a run's record. Raise NotFound if there is none."""
        kept = self._records.get(name)
        if kept is None:
            raise NotFound(f"There is no run '{name[:80]}' on node '{self._settings.node}'; old ones are given up.")
        return kept

    def find(self, **wanted: str | None) -> list[Record]:
        """Return the records of runs, newest first: by `runbook`, `state`, `by`, and `q`, a text that they hold."""
        rows = sorted(self._records.values(), key=lambda each: each.id, reverse=True)
        if wanted.get("state"):
            states = str(wanted["state"]).split(",")
            rows = [each for each in rows if each.state in states]
        for key in ("runbook", "by"):
            if wanted.get(key):
                rows = [each for each in rows if each.about[key] == wanted[key]]
        return _holding(rows, str(wanted["q"]).lower()) if wanted.get("q") else rows

    def output(self, name: str, after: int, wait: float) -> tuple[list[dict[str, Any]], int, str]:
        """Return what a run's journal has behind `after`, where that ends, and the run's state. Wait so long for something."""
        kept = self.get(name)
        if name in self._running:
            self._running[name].seen = time.monotonic()
        if wait > 0 and self._watchers.acquire(blocking=False):
            try:
                with self._changed:
                    self._changed.heard(lambda: kept.read > after or kept.over, wait)
            finally:
                self._watchers.release()
        found = list(record.events(kept.journal, after, record.PAGE_BYTES))
        return [event for event, _ in found], found[-1][1] if found else after, kept.state

    def end(self, name: str, by: str, proof: str | None = None) -> Record:
        """Stop a run. Raise Conflict if it has ended."""
        run = self._under_way(name)
        run.say({"do": "stop", "by": by})
        self._note(by, "stop run", run.record, proof)
        return run.record

    def answer(self, name: str, ask: str | None, answer: str, by: str, proof: str | None = None) -> Record:
        """Answer a run's question. Raise Conflict if it asks none, or another one; BadInput if that is no answer."""
        run = self._under_way(name)
        open_ = run.record.ask
        if open_ is None or run.record.state != ASKING:
            raise Conflict(f"Run '{name}' asks nothing now.")
        if ask is not None and ask != open_["ask"]:
            raise Conflict(f"Run '{name}' asks something else by now: {open_['question']}")
        _must_answer(open_, answer)
        run.say({"do": "answer", "ask": open_["ask"], "answer": answer, "by": by})
        self._note(by, "answer run", run.record, proof)
        return run.record

    @property
    def running(self) -> int:
        """How many are under way."""
        return len(self._running)

    def _under_way(self, name: str) -> Run:
        kept = self.get(name)
        run = self._running.get(name)
        if run is None or kept.over:
            raise Conflict(f"Run '{name}' has ended: {kept.state}.")
        return run

    def _facts(self) -> dict[str, Any]:
        """Return what runbooks know of this node, as the config server has it."""
        found = self.config.get("/api/v1/find", {"name": self._settings.node})["items"]
        if not found:
            raise NotFound(f"The config server knows no node '{self._settings.node}'.")
        return {key: found[0].get(key) for key in ("name", "address", "groups", "labels")}

    # The run's process

    def _launch(self, kept: Record, work: dict[str, Any]) -> None:
        job = {
            **work, "run": kept.id, "runbook": kept.about["runbook"], "by": kept.about["by"],
            "directory": str(kept.directory), "data": str(self._folder), "var": str(self._settings.var),
            "config_url": self._settings.config_url, "token_file": str(self._settings.token_file),
            "copy_bytes": self._settings.copy_bytes,
        }  # fmt: skip
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "nodeward.nodeserver.runbooks.session"],
                stdin=theirs.fileno(),
                start_new_session=True,
            )
        kept.about |= {"pid": process.pid, "created": tree.created(process.pid)}
        record.keep(kept.directory, kept.about)
        run = Run(kept, process, ours)
        with self._changed:
            self._records[kept.id] = kept
            self._running[kept.id] = run
        threading.Thread(target=self._follow, args=(run,), name=f"run-{kept.id}", daemon=True).start()
        run.say(job)

    def _follow(self, run: Run) -> None:
        """Take in what a run's process writes, until it has ended."""
        while True:
            try:
                heard = run.line.recv(4096)
            except OSError:
                heard = b""
            if run.record.take_in() or not heard:
                with self._changed:
                    self._changed.notify_all()
            if not heard:
                break
        self._bury(run)

    def _bury(self, run: Run) -> None:
        try:
            run.process.wait(30.0)
        except subprocess.TimeoutExpired:
            run.process.kill()
            run.process.wait()
        run.record.take_in()
        if not run.record.over:
            tree.end(lambda: tree.marked(run.record.id))
            run.record.finish(FAILED, "Its process ended unexpectedly; what it had started was ended.")
        run.line.close()
        log.info("run %s: %s %s", run.record.id, run.record.state, run.record.detail)
        with self._changed:
            self._running.pop(run.record.id, None)
            self._changed.notify_all()

    def _look_after(self) -> bool:
        """Stop called runs whose caller is gone; give up old records."""
        for run in list(self._running.values()):
            if run.record.about["caller"] and time.monotonic() > run.seen + CALLER_SECONDS:
                run.seen = time.monotonic()
                run.say({"do": "stop", "by": "nobody: its caller is gone"})
        over = [each for each in sorted(self._records.values(), key=lambda each: each.id, reverse=True) if each.over]
        room = self._settings.runs_megabytes * MEGABYTE
        for place, kept in enumerate(over):
            room -= record.size(kept)
            if place >= self._settings.runs_kept or (room < 0 and place > 0):
                self._records.pop(kept.id, None)
                record.remove(kept)
        return False

    # The audit list

    def _note(self, by: str, action: str, kept: Record, proof: str | None, wait: bool = False) -> None:
        """Let the config server's audit list have who did what; with `wait`, now, and raise NodewardError if it cannot.

        The ticket that was shown goes with it: it proves who that was.
        """
        deed = {
            "ticket": proof,
            "who": by,
            "action": action,
            "what": f"{kept.about['runbook']} on {kept.about['node']}: run {kept.id}",
        }
        if wait:
            self.config.post("/api/v1/audit", deed)
        else:
            self._deeds.put(deed)
            self._teller.wake()

    def _tell_deed(self) -> bool:
        try:
            deed = self._deeds.get_nowait()
        except queue.Empty:
            return False
        try:
            self.config.post("/api/v1/audit", deed)
        except NodewardError as error:
            if error.retry:
                self._deeds.put(deed)
            raise
        return True


def recover(kept: Record) -> None:
    """Give a record that was cut off its end: wait a moment for its process to write it, end what is left, write it then."""
    own = tree.process(kept.about)
    until = time.monotonic() + STOP_SECONDS
    while own is not None and own.is_running() and own.status() != psutil.STATUS_ZOMBIE and time.monotonic() < until:
        time.sleep(0.05)
    tree.end(lambda: [each for each in (tree.process(kept.about),) if each is not None] + tree.marked(kept.id))
    record.mend(kept.journal)
    kept.take_in()
    if not kept.over:
        kept.finish(INTERRUPTED, "The node server was killed or restarted while it ran; what it had started was ended.")
    log.warning("run %s was cut off: %s", kept.id, kept.detail)


def _plan(name: str, body: dict[str, Any]) -> runbook.Plan:
    try:
        return runbook.plan(body)
    except ValidationError as error:
        raise BadInput(f"Runbook '{name}' is not one that this node server understands.", problems_of(error)) from None


def _must_answer(ask: dict[str, Any], answer: str) -> None:
    """Raise BadInput if that is no answer to the question."""
    why = None
    if ask["kind"] == "choice" and answer not in ask["choices"]:
        why = f"it is none of {', '.join(ask['choices'])}"
    elif ask["kind"] == "secret" and len(answer.strip()) < runbook_parameters.LEAST_SECRET:
        why = f"a secret has at least {runbook_parameters.LEAST_SECRET} characters"
    elif "\0" in answer or len(answer) > 65536:
        why = "it holds a NUL character, or is too long"
    if why:
        raise BadInput("That is no answer.", [Problem("answer", why)])


def _holding(rows: list[Record], text: str) -> list[Record]:
    """Return the records that hold a text; so many bytes are looked through, the newest first."""
    found, room = [], record.SEARCH_BYTES
    for each in rows:
        room -= record.size(each)
        if room < 0:
            break
        if record.says(each, text):
            found.append(each)
    return found


def _name() -> str:
    """Return a name that sorts by time, and that no other node gives."""
    now = datetime.now(UTC)  # names sort as the runs began, also within a second
    return f"{now:%Y%m%d-%H%M%S}-{now.microsecond:05x}{secrets.token_hex(1)[0]}"


def _short(value: Any) -> Any:
    return value if not isinstance(value, str) or len(value) <= 500 else value[:500] + "…"


def _close(line: socket.socket) -> None:
    try:
        line.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it is closed
