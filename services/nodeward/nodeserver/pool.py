"""Built-in checks on threads, each with a hard time limit.

A thread cannot be ended, so one whose check exceeds its time is given up: the check counts as timed out, a new thread takes the
place, and the old one ends when its call returns. Quick checks have a thread of their own, so that no network can hold them up.
"""

import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nodeward.core import clock
from nodeward.nodeserver.checks.base import CannotTell, Context, why
from nodeward.nodeserver.output import CRITICAL, UNKNOWN, Outcome

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.1
MOST_GIVEN_UP = 256  # threads that never came back; beyond that a hanging check keeps its place


@dataclass(slots=True)
class Task:
    """A check to run: `call` makes it, within the context's time limit; `what` is handed back with the outcome."""

    call: Callable[[Context], Outcome]
    context: Context
    what: Any

    @property
    def timeout(self) -> float:
        """How many seconds it may take."""
        return self.context.timeout


class Done(NamedTuple):
    """What came of a task: when it began (µs since 1970), and how long it took in seconds."""

    task: Task
    outcome: Outcome
    started: int
    took: float


@dataclass
class _Seat:
    """A thread's place: the task at hand, when it began, what else was given with it."""

    name: str
    jobs: queue.SimpleQueue[list[Task] | None]
    task: Task | None = None
    began: float = 0.0
    started: int = 0
    rest: list[Task] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    given_up: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class Pool:
    """A part. `submit` takes tasks from any thread; `finished` is called with what came of them, on the pool's threads."""

    def __init__(self, threads: int, finished: Callable[[list[Done]], None]) -> None:
        self._finished = finished
        self._slow: queue.SimpleQueue[list[Task] | None] = queue.SimpleQueue()
        self._quick: queue.SimpleQueue[list[Task] | None] = queue.SimpleQueue()
        self._seats = [_Seat("quick", self._quick), *(_Seat("check", self._slow) for _ in range(threads))]
        self._numbers = itertools.count(1)
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._look_after, name="checks", daemon=True)
        self._lock = threading.Lock()
        self.hanging = 0  # threads given up whose call has not returned yet

    def start(self) -> None:
        """Start the threads."""
        for seat in self._seats:
            self._seat(seat)
        self._watch.start()

    def stop(self) -> None:
        """Take no more; what is at work is not waited for."""
        self._stopping.set()
        for seat in self._seats:
            seat.jobs.put(None)
        self._watch.join(timeout=2)

    @property
    def alive(self) -> bool:
        """Whether time limits are kept."""
        return self._watch.is_alive()

    def submit(self, tasks: list[Task], quick: bool = False) -> None:
        """Let these run: quick ones one after another, the others side by side."""
        if quick:
            self._quick.put(tasks)
        else:
            for task in tasks:
                self._slow.put([task])

    def _seat(self, seat: _Seat) -> None:
        threading.Thread(
            target=self._work, args=(seat,), name=f"{seat.name}-{next(self._numbers)}", daemon=True
        ).start()

    def _work(self, seat: _Seat) -> None:
        while (tasks := seat.jobs.get()) is not None:
            if not self._work_through(seat, tasks):
                with self._lock:
                    self.hanging -= 1
                return  # given up: another thread has the place

    def _work_through(self, seat: _Seat, tasks: list[Task]) -> bool:
        """Run tasks one after another and hand on what came of them. Return False if the thread was given up meanwhile."""
        seat.rest = tasks[::-1]
        seat.done = []
        while seat.rest:
            task = seat.rest.pop()
            seat.started, seat.began = clock.now(), time.monotonic()
            task.context.began = seat.began
            seat.task = task
            outcome = attempt(task)
            took = time.monotonic() - seat.began
            with seat.lock:
                if seat.given_up:
                    return False
                seat.task = None
            seat.done.append(Done(task, outcome, seat.started, took))
        self._hand_on(seat.done)
        return True

    def _hand_on(self, done: list[Done]) -> None:
        try:
            self._finished(done)
        except Exception:
            log.exception("%d results could not be handed on", len(done))

    def _look_after(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            now = time.monotonic()
            for index, seat in enumerate(self._seats):
                task = seat.task
                if task is not None and now > seat.began + task.timeout:
                    self._give_up(index, seat, task, now)

    def _give_up(self, index: int, seat: _Seat, task: Task, now: float) -> None:
        if self.hanging >= MOST_GIVEN_UP:
            return
        with seat.lock:
            if seat.task is not task:
                return  # it has just ended
            seat.given_up = True
        with self._lock:
            self.hanging += 1
        late = Outcome(CRITICAL, f"(The check timed out after {task.timeout:g} seconds)")
        self._hand_on([*seat.done, Done(task, late, seat.started, now - seat.began)])
        new = self._seats[index] = _Seat(seat.name, seat.jobs)
        if seat.rest:
            new.jobs.put(seat.rest[::-1])
        self._seat(new)


def attempt(task: Task) -> Outcome:
    """Run a task; whatever it raises becomes an outcome."""
    try:
        return task.call(task.context)
    except CannotTell as error:
        return Outcome(UNKNOWN, str(error))
    except TimeoutError:
        return Outcome(CRITICAL, f"(The check timed out after {task.timeout:g} seconds)")
    except OSError as error:
        return Outcome(UNKNOWN, f"the check could not be made: {why(error)}")
    except Exception as error:
        log.exception("a built-in check failed")
        return Outcome(
            UNKNOWN, f"the check itself failed ({type(error).__name__}: {error}); the node server's log has the details"
        )
