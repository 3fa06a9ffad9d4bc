"""The one that changes the board: takes commands from every thread, makes many durable in one commit, then publishes."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from nodeward.core import clock
from nodeward.core.errors import NodewardError, Unavailable
from nodeward.monitor.board import Board, Draft
from nodeward.store.base_states import StateShelf

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")
Command = Callable[[Draft], Any]
_AT_ONCE = 256  # commands per commit
_PATIENCE = 30.0


class Writer:
    """A part (see `core.program`). `do` returns when what the command did is on disk.

    The longer a commit takes, the more commands have gathered for the next one: under load the cost of a commit is
    shared, and an idle monitor answers at once.
    """

    def __init__(self, board: Board, shelf: StateShelf, now: Callable[[], int] = clock.now) -> None:
        self._board, self._shelf, self._now = board, shelf, now
        self._queue: queue.Queue[tuple[Command, Future[Any]] | None] = queue.Queue(maxsize=10_000)
        self._thread = threading.Thread(target=self._loop, name="writer", daemon=True)
        self.commits = 0
        self.seconds = 0.0

    def start(self) -> None:
        """Begin to take commands."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is queued, then end."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join(timeout=10)

    @property
    def alive(self) -> bool:
        """Whether it still takes commands."""
        return self._thread.is_alive()

    @property
    def depth(self) -> int:
        """How many commands wait."""
        return self._queue.qsize()

    def do(self, command: Callable[[Draft], Answer]) -> Answer:
        """Run `command` on a draft; return its answer once the draft is durable. What it raises changes nothing."""
        future: Future[Answer] = Future()
        try:
            self._queue.put((command, future), timeout=_PATIENCE)
            return future.result(timeout=_PATIENCE)
        except (queue.Full, TimeoutError):
            raise Unavailable("The monitor is behind with its work; try again in a moment.") from None

    def _loop(self) -> None:
        going = True
        while going:
            jobs = [self._queue.get()]
            while len(jobs) < _AT_ONCE and not self._queue.empty():
                jobs.append(self._queue.get_nowait())
            going = None not in jobs
            self._commit([job for job in jobs if job is not None])

    def _commit(self, jobs: list[tuple[Command, Future[Any]]]) -> None:
        began = time.perf_counter()
        batch = Draft(self._board, self._now())
        done = [(future, answer) for command, future in jobs for answer in _run(command, future, batch)]
        try:
            if change := batch.change():
                self._shelf.write(change)
            self._board.publish(batch)
        except Exception as error:
            self._failed(jobs, error)
            return
        self.commits += 1
        self.seconds += time.perf_counter() - began
        for future, answer in done:
            future.set_result(answer)

    def _failed(self, jobs: list[tuple[Command, Future[Any]]], error: Exception) -> None:
        """Nothing was stored. A command that cannot be must not take the others with it; a store that cannot takes all."""
        open_jobs = [(command, future) for command, future in jobs if not future.done()]
        if len(open_jobs) > 1 and not isinstance(error, NodewardError):
            for job in open_jobs:
                self._commit([job])
            return
        log.error("nothing could be stored: %s", error)
        for _, future in open_jobs:
            future.set_exception(error)


def _run(command: Command, future: "Future[Any]", batch: Draft) -> list[Any]:
    draft = Draft(batch, batch.now)
    try:
        answer = command(draft)
    except Exception as error:
        future.set_exception(error)
        return []
    batch.merge(draft)
    return [answer]
