"""What waits for one browser, under eventlet: a queue for Engine.IO that wakes many writers by one timer.

A frame goes to hundreds of browsers, and each has a writer of its own that waits at its queue. eventlet's own queue sets a timer
to wake each of them, and one more for the time it may wait: half of what a frame costs. Here all that a frame wakes are woken by
one. There is no limit to the wait: the server pings every browser, so something always comes.
"""

import logging
import warnings
from collections import deque
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # eventlet warns of itself: docs/decisions/0601 weighs that
    from eventlet.hubs import get_hub
    from eventlet.queue import Empty
from greenlet import getcurrent, greenlet

log = logging.getLogger(__name__)


class Outbox:
    """A queue without bounds for one reader at a time. Used within one thread, as all green threads are."""

    _ready: "list[Outbox]" = []  # noqa: RUF012 - those whose readers the next timer wakes, of all there are

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._undone = 0
        self._waiting: greenlet | None = None
        self._woken = False
        self._joining: list[greenlet] = []

    def put(self, item: Any) -> None:
        """Add something; whoever waits for it is woken soon."""
        self._items.append(item)
        self._undone += 1
        if self._waiting is not None and not self._woken:
            self._woken = True
            if not self._ready:
                get_hub().schedule_call_global(0, self._wake)
            self._ready.append(self)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take what has waited for longest; wait for it unless told not to. Raise Empty if there is nothing, and for a second
        reader: Engine.IO then closes that connection."""
        if self._waiting is not None or not (self._items or block):
            raise Empty
        while not self._items:
            self._wait()
        return self._items.popleft()

    def task_done(self) -> None:
        """What was taken is dealt with."""
        self._undone -= 1
        if not self._undone:
            for each in self._joining:
                get_hub().schedule_call_global(0, each.switch)
            self._joining.clear()

    def join(self) -> None:
        """Wait until all that was put is dealt with."""
        while self._undone:
            self._joining.append(getcurrent())
            get_hub().switch()

    def qsize(self) -> int:
        """Return how much waits."""
        return len(self._items)

    def empty(self) -> bool:
        """Say whether nothing waits."""
        return not self._items

    def _wait(self) -> None:
        self._waiting = getcurrent()
        try:
            get_hub().switch()
        finally:  # a reader that is ended while it waits must not be woken at whatever it does next
            self._waiting, self._woken = None, False

    @classmethod
    def _wake(cls) -> None:
        boxes = cls._ready[:]
        cls._ready.clear()
        for box in boxes:
            if box._woken and box._waiting is not None:
                try:
                    box._waiting.switch()
                except Exception:
                    log.exception("a browser's writer failed")
