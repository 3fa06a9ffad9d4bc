"""Waiting for news on behalf of a caller, which ends when the program does.

A caller may wait for as long as it asks to (docs/where-things-are.md: `wait=`), and a server answers all its callers before it
ends. So at its end each gets its answer at once, with nothing new in it; else the last of them would hold it up.
"""

import threading
import weakref
from collections.abc import Callable

_all: "weakref.WeakSet[News]" = weakref.WeakSet()


class News(threading.Condition):
    """A condition; whoever makes news notifies it."""

    def __init__(self) -> None:
        super().__init__()
        self._over = False
        _all.add(self)

    def heard(self, ready: Callable[[], bool], seconds: float) -> bool:
        """Wait, holding this, until `ready`, at most so long or until the program ends. Return whether it is."""
        self.wait_for(lambda: self._over or ready(), seconds)
        return ready()

    def end(self) -> None:
        """Let nobody wait here any more."""
        with self:
            self._over = True
            self.notify_all()


def end_all() -> None:
    """Let nobody wait for any news any more: the program ends."""
    for each in list(_all):
        each.end()
