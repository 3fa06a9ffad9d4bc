"""Runs checks: built-in ones on threads, commands in worker processes; makes a result of what came of each."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from nodeward.core import checks, clock
from nodeward.core.bundle import Check
from nodeward.core.errors import NotFound, Unavailable
from nodeward.nodeserver import command
from nodeward.nodeserver.checks.base import Context, Standing
from nodeward.nodeserver.checks.table import BUILT_IN
from nodeward.nodeserver.output import CRITICAL, UNKNOWN, Outcome, from_plugin
from nodeward.nodeserver.plugins import End, Job, Plugins
from nodeward.nodeserver.pool import Done, Pool, Task
from nodeward.nodeserver.schedule import Key, Schedule
from nodeward.nodeserver.settings import NodeserverSettings

log = logging.getLogger(__name__)

LATE_SECONDS = 5.0
MOST_WAIT = 0.5  # the scheduler looks at least so often, so that it stops quickly

Row = dict[str, Any]  # a core.results.Result as a plain dict, in microseconds and seconds


class Call(NamedTuple):
    """A built-in check, ready to be made: what to call with a context, and whether it never waits."""

    run: Callable[[Context], Outcome]
    quick: bool


class Turn(NamedTuple):
    """One run of one check: `planned` is when it was due, in µs since 1970."""

    check: Check
    planned: int


@dataclass
class Counts:
    """What was done since the start: `late` began more than LATE_SECONDS after they were due."""

    builtin: int = 0
    external: int = 0
    timed_out: int = 0
    late: int = 0
    latency: float = 0.0  # seconds, summed
    recently_late: deque[float] = field(default_factory=lambda: deque(maxlen=1000))


class Runner:
    """Parts `plugins` and `pool`, and `unit` for the scheduler's thread. Results go to `take`, a list at a time."""

    def __init__(
        self,
        settings: NodeserverSettings,
        schedule: Schedule,
        take: Callable[[list[Row]], None],
        standing: Callable[[], Standing],
    ) -> None:
        self._settings, self._schedule, self._take, self._standing = settings, schedule, take, standing
        self.plugins = Plugins(settings.workers, settings.plugins, self._plugins_ended)
        self.pool = Pool(settings.threads, self._tasks_done)
        self.counts = Counts()
        self._lock = threading.Lock()
        self._waiting: dict[Key, list[tuple[threading.Event, list[Row]]]] = {}
        self._prepared: dict[Key, tuple[Check, Job | Call]] = {}

    def unit(self) -> bool:
        """Start what is due, or wait until something is. Return True: there is always a next time."""
        now = time.monotonic()
        due = self._schedule.take_due(now)
        if due:
            wall = clock.now()
            self._start([Turn(check, wall - int((now - planned) * 1e6)) for check, planned in due])
        else:
            soonest = self._schedule.next_due()
            wait = MOST_WAIT if soonest is None else min(MOST_WAIT, soonest - now)
            if wait > 0 and self._schedule.changed.wait(wait):
                self._schedule.changed.clear()
        return True

    def run_now(self, key: Key) -> Row:
        """Run one check out of turn and return its result, which counts like any other.

        Raise NotFound if there is no such check here, Unavailable if it does not end within its own time limit.
        """
        entry = next((entry for entry in self._schedule.entries() if entry.key == key), None)
        if entry is None:
            raise NotFound(f"This node server runs no check '{key[1] or '-'}' of node '{key[0]}'.")
        ended, results = threading.Event(), list[Row]()
        with self._lock:
            self._waiting.setdefault(key, []).append((ended, results))
        check = self._schedule.take(key)
        if check is not None:  # otherwise it is running right now, and that run's result is as good
            self._start([Turn(check, clock.now())])
        try:
            if not ended.wait(entry.check.timeout + 15):
                words = f"Check '{key[1] or '-'}' of node '{key[0]}' did not end; too many others may be running."
                raise Unavailable(words)
            return results[0]
        finally:
            self._stop_waiting(key, ended)

    def _stop_waiting(self, key: Key, ended: threading.Event) -> None:
        with self._lock:
            left = [one for one in self._waiting.pop(key, []) if one[0] is not ended]
            if left:
                self._waiting[key] = left

    def _start(self, turns: list[Turn]) -> None:
        jobs: list[Job] = []
        slow: list[Task] = []
        quick: list[Task] = []
        for turn in turns:
            try:
                prepared = self._prepare(turn.check)
            except Exception as error:  # a check that cannot be run says so; it never goes silent
                log.exception("check '%s' of node '%s' cannot be run", turn.check.service, turn.check.node)
                self._record([(turn, Outcome(UNKNOWN, f"the check cannot be run: {error}"), clock.now(), 0.0)])
                continue
            if isinstance(prepared, Job):
                jobs.append(Job(prepared.argv, prepared.env, prepared.timeout, turn))
            else:
                task = Task(prepared.run, self._context(turn.check), turn)
                (quick if prepared.quick else slow).append(task)
        if jobs:
            self.plugins.submit(jobs)
        if quick:
            self.pool.submit(quick, quick=True)
        if slow:
            self.pool.submit(slow)

    def _prepare(self, check: Check) -> Job | Call:
        """Return what is the same in every run of a check."""
        key = check.node, check.service
        known = self._prepared.get(key)
        if known is not None and known[0] is check:
            return known[1]
        if check.plugin is not None:
            built_in = BUILT_IN[check.plugin]
            ready: Job | Call = Call(partial(built_in.run, checks.arguments(check.plugin, check.args)), built_in.quick)
        else:
            path = self._settings.plugin_path
            ready = Job(command.argv(check, path), command.environment(check), check.timeout, None)
        self._prepared[key] = check, ready
        return ready

    def forget(self, kept: set[Key]) -> None:
        """Forget what was prepared for checks that are no longer there."""
        for key in self._prepared.keys() - kept:
            self._prepared.pop(key, None)

    def _context(self, check: Check) -> Context:
        return Context(check.node, check.address, check.timeout, self._settings.var, self._standing)

    def _plugins_ended(self, ends: list[End]) -> None:
        self.counts.external += len(ends)
        self._record([(end.job.what, outcome(end), end.started, end.took) for end in ends])
        self.counts.timed_out += sum(end.timed_out for end in ends)

    def _tasks_done(self, done: list[Done]) -> None:
        self.counts.builtin += len(done)
        self._record([(one.task.what, one.outcome, one.started, one.took) for one in done])

    def _record(self, ended: list[tuple[Turn, Outcome, int, float]]) -> None:
        now, wall = time.monotonic(), time.time()
        waits = self._schedule.ended(
            (((turn.check.node, turn.check.service), found.code, started) for turn, found, started, _ in ended),
            now,
            wall,
        )
        rows = []
        for (turn, found, started, took), wait in zip(ended, waits, strict=True):
            if wait is not None:  # else the check was removed while it ran: nobody wants its result
                rows.append(row(turn, found, started, took, int((wall + wait) * 1e6)))
                self._count(rows[-1]["latency"], now)
        if rows:
            self._take(rows)
            self._tell(rows)

    def _count(self, latency: float, now: float) -> None:
        self.counts.latency += latency
        if latency > LATE_SECONDS:
            self.counts.late += 1
            self.counts.recently_late.append(now)

    def late_within(self, seconds: float) -> int:
        """Return how many checks began late within the last `seconds`."""
        since = time.monotonic() - seconds
        return sum(moment >= since for moment in list(self.counts.recently_late))

    def _tell(self, rows: list[Row]) -> None:
        """Hand results to those who asked for a run of their own."""
        if not self._waiting:
            return
        for one in rows:
            with self._lock:
                waiting = self._waiting.pop((one["node"], one["service"]), [])
            for ended, results in waiting:
                results.append(one)
                ended.set()


def row(turn: Turn, found: Outcome, started: int, took: float, following: int) -> Row:
    """Return a result in its wire form (core.results.Result)."""
    return {
        "node": turn.check.node,
        "service": turn.check.service,
        "code": found.code,
        "output": found.output,
        "long_output": found.long_output,
        "perfdata": found.perfdata,
        "started": started,
        "duration": round(took, 6),
        "latency": max(0, started - turn.planned) / 1e6,
        "next_check": following,
    }


def outcome(end: End) -> Outcome:
    """Return what the end of a plugin means."""
    if end.status is None:
        return Outcome(UNKNOWN, "(The process that ran this plugin ended unexpectedly, twice)")
    if not end.timed_out:
        return from_plugin(end.status, end.stdout, end.stderr, end.truncated)
    words = f"(The plugin timed out after {end.job.timeout:g} seconds; it and everything it started was ended)"
    if not end.stdout + end.stderr:
        return Outcome(CRITICAL, words)
    found = from_plugin(CRITICAL, end.stdout, end.stderr, end.truncated)
    return Outcome(CRITICAL, words, f"{found.output}\n{found.long_output}".strip(), found.perfdata)
