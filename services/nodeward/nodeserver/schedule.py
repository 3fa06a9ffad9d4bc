"""When each check runs. Decisions are pure functions; `Schedule` holds them in a heap.

A check has a slot: its interval, shifted by a hash of its node and service, so that a fleet's checks spread over the interval
and every check keeps its place through restarts and reloads. After a problem that is still soft it runs again after `retry`.
What never ran, or is overdue after a restart, runs soon, spread over a few seconds. Due times are in seconds of a monotonic
clock; slots are found on the wall clock, so that a clock that is set moves no check that is already planned.
"""

import hashlib
import heapq
import itertools
import math
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from nodeward.core.bundle import Check
from nodeward.core.states import OK, WARNING

SPREAD_SECONDS = 3.0  # what is new runs within so long
HURRY_SECONDS = 5.0  # a check that is wanted at once has not begun so recently
SPREAD_RATE = 100.0  # … or at so many a second, where there are very many

Key = tuple[str, str | None]


class Progress(NamedTuple):
    """What the node server remembers of a check: its last code, which attempt that was, when it began (µs since 1970)."""

    code: int | None = None
    attempt: int = 1
    last: int | None = None


def is_problem(check: Check, code: int) -> bool:
    """Say whether `code` is a problem: for a service all but OK, for a node's own check what means DOWN."""
    return code != OK if check.service is not None else code not in (OK, WARNING)


def advance(check: Check, progress: Progress, code: int, started: int) -> Progress:
    """Return what is to be remembered after a result."""
    if not is_problem(check, code):
        return Progress(code, 1, started)
    again = progress.code is not None and is_problem(check, progress.code)
    return Progress(code, min(progress.attempt + 1, check.attempts) if again else 1, started)


def is_soft(check: Check, progress: Progress) -> bool:
    """Say whether the last result is a problem that is not yet certain."""
    return progress.code is not None and is_problem(check, progress.code) and progress.attempt < check.attempts


def share(key: Key) -> float:
    """Return a check's place within its interval, 0 ≤ share < 1: the same on every run of every version."""
    digest = hashlib.blake2b(f"{key[0]}\0{key[1] or ''}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def until_slot(interval: float, place: float, wall: float) -> float:
    """Return how many seconds after `wall` (seconds since 1970) the next slot is: more than 0, at most `interval`."""
    return (interval - (wall - place * interval) % interval) or interval


def delay(check: Check, place: float, progress: Progress, wall: float) -> float:
    """Return in how many seconds a check that has just ended runs again."""
    if is_soft(check, progress):
        return min(check.retry, check.interval)
    wait = until_slot(check.interval, place, wall)
    ends_now = min(
        1.0, check.interval * 0.1
    )  # two clocks never agree to the last millisecond: this slot was the run's own
    return wait + check.interval if wait < ends_now else wait


def first_delay(check: Check, place: float, progress: Progress, wall: float, spread: float) -> float:
    """Return in how many seconds a check runs that has just been loaded.

    One that ran less than an interval ago keeps its slot, or its retry; another one is overdue and runs soon.
    """
    soon = place * min(spread, check.interval)
    if progress.last is None:
        return soon
    since = wall - progress.last / 1e6
    wanted = min(check.retry, check.interval) if is_soft(check, progress) else check.interval
    if not 0 <= since < wanted:
        return soon
    slot = wanted - since if is_soft(check, progress) else until_slot(check.interval, place, wall)
    return min(slot, max(soon, wanted - since))


def spread_over(count: int) -> float:
    """Return the seconds over which `count` checks that are all due are to begin."""
    return max(SPREAD_SECONDS, count / SPREAD_RATE)


@dataclass(slots=True)
class Entry:
    """A check as it stands in the schedule: `due` is None while it runs, else seconds of the monotonic clock."""

    check: Check
    key: Key
    place: float
    progress: Progress = field(default_factory=Progress)
    due: float | None = None
    running: bool = False
    ticket: int = 0  # which of the heap's rows of this check is the one in force


class Schedule:
    """All checks and when each is due. Safe to use from several threads; every method is handed the time."""

    def __init__(self, remembered: dict[Key, Progress] | None = None) -> None:
        self._entries: dict[Key, Entry] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._tickets = itertools.count(1)
        self._remembered = remembered or {}
        self._lock = threading.Lock()
        self.changed = threading.Event()  # set when something may be due earlier than it was

    def apply(self, checks: Iterable[Check], now: float, wall: float) -> None:
        """Take over a new list of checks: what did not change keeps its time, what is new or changed runs soon."""
        with self._lock:
            wanted = {(check.node, check.service): check for check in checks}
            for key in self._entries.keys() - wanted.keys():
                del self._entries[key]  # its row in the heap is skipped when it comes up
            fresh = [check for key, check in wanted.items() if not self._keeps(key, check)]
            spread = spread_over(len(fresh))
            for check in fresh:
                self._load(check, now, wall, spread)
        self.changed.set()

    def _keeps(self, key: Key, check: Check) -> bool:
        entry = self._entries.get(key)
        return entry is not None and entry.check == check

    def _load(self, check: Check, now: float, wall: float, spread: float) -> None:
        key = check.node, check.service
        known = self._entries.get(key)
        if known is None:
            progress = self._remembered.pop(key, Progress())
            entry = self._entries[key] = Entry(check, key, share(key), progress)
            self._plan(entry, now + first_delay(check, entry.place, progress, wall, spread))
        else:
            known.check = check
            if not known.running:
                soon = now + known.place * min(spread, check.interval)
                self._plan(known, min(soon, known.due) if known.due is not None else soon)

    def _plan(self, entry: Entry, due: float) -> None:
        entry.due, entry.ticket = due, next(self._tickets)
        heapq.heappush(self._heap, (due, entry.ticket, entry.key))

    def take_due(self, now: float, limit: int = 1000) -> list[tuple[Check, float]]:
        """Return the checks that are due, with the time each was due; they count as running until `ended`."""
        found: list[tuple[Check, float]] = []
        with self._lock:
            while self._heap and self._heap[0][0] <= now and len(found) < limit:
                due, ticket, key = heapq.heappop(self._heap)
                entry = self._entries.get(key)
                if entry is not None and entry.ticket == ticket and not entry.running:
                    entry.due, entry.running = None, True
                    found.append((entry.check, due))
        return found

    def hurry(self, keys: Iterable[Key], now: float, wall: float) -> None:
        """Run these now if they are ours, do not run already, and did not just do so."""
        with self._lock:
            for key in keys:
                entry = self._entries.get(key)
                if entry is None or entry.due is None or entry.due <= now:
                    continue
                if entry.progress.last is None or not 0 <= wall - entry.progress.last / 1e6 < HURRY_SECONDS:
                    self._plan(entry, now)
        self.changed.set()

    def take(self, key: Key) -> Check | None:
        """Take one check out of turn. Return None if there is none such, or it is running."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry.running:
                return None
            entry.due, entry.running, entry.ticket = None, True, 0
            return entry.check

    def next_due(self) -> float | None:
        """Return when the next check is due, or None if nothing is planned."""
        with self._lock:
            while self._heap:
                due, ticket, key = self._heap[0]
                entry = self._entries.get(key)
                if entry is not None and entry.ticket == ticket and not entry.running:
                    return due
                heapq.heappop(self._heap)
            return None

    def ended(self, results: Iterable[tuple[Key, int, int]], now: float, wall: float) -> list[float | None]:
        """Take note of results (key, code, began in µs since 1970) and plan the next runs.

        Return in how many seconds each check runs again; None for one that is no longer wanted.
        """
        with self._lock:
            soonest = self._heap[0][0] if self._heap else math.inf
            waits = [self._ended(key, code, started, now, wall) for key, code, started in results]
        if any(wait is not None and now + wait < soonest for wait in waits):
            self.changed.set()
        return waits

    def _ended(self, key: Key, code: int, started: int, now: float, wall: float) -> float | None:
        entry = self._entries.get(key)
        if entry is None or not entry.running:
            return None
        entry.running = False
        entry.progress = advance(entry.check, entry.progress, code, started)
        wait = delay(entry.check, entry.place, entry.progress, wall)
        self._plan(entry, now + wait)
        return wait

    def entries(self) -> list[Entry]:
        """Return a copy of every entry, in the bundle's order."""
        with self._lock:
            return [replace(entry) for entry in self._entries.values()]

    def remember(self) -> Iterator[tuple[Key, Progress]]:
        """Yield what should be known after a restart."""
        return ((entry.key, entry.progress) for entry in self.entries() if entry.progress.last is not None)
