"""How often one may be wrong: a few times for nothing, then the wait doubles with every further time."""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from nodeward.core.errors import TooMany

FREE = 5  # wrong answers before one has to wait
LONGEST = 300.0  # seconds
MOST = 10_000  # that are remembered; then the longest unheard-of are forgotten


@dataclass
class _Tries:
    wrong: int = 0
    until: float = 0.0


class Throttle:
    """Remembers who was wrong how often. Safe to use from several threads."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._tries: dict[Hashable, _Tries] = {}
        self._lock = threading.RLock()

    def admit(self, who: Hashable, what: str) -> None:
        """Count a try as wrong until `forgive` is called. Raise TooMany, naming `what`, while one has to wait.

        Counting first lets nobody get many tries by making them at the same moment.
        """
        with self._lock:
            tries = self._tries.pop(who, _Tries())
            self._tries[who] = tries  # the last one heard of is the last in the dict
            now = self._monotonic()
            if tries.until > now:
                raise TooMany(f"Too many {what}. Try again in {max(1, round(tries.until - now))} s.")
            tries.wrong += 1
            if tries.wrong >= FREE:
                tries.until = now + min(LONGEST, 2.0 ** min(tries.wrong - FREE, 10))
            if len(self._tries) > MOST:
                del self._tries[next(iter(self._tries))]

    def forgive(self, who: Hashable) -> None:
        """Forget what was wrong: it was right now."""
        with self._lock:
            self._tries.pop(who, None)

    def check(self, who: Hashable, what: str, verify: Callable[[], None]) -> None:
        """Let somebody try what `verify` is quick to verify (it raises if it is wrong), one at a time.

        Many who are right at the same moment, as the nodes behind one address are, do not pass for one who guesses.
        """
        with self._lock:
            self.admit(who, what)
            verify()
            self.forgive(who)
