"""Who was refused: a line in the audit list for each, and never so many that they fill a disk.

The first refusal of a caller is told at once; what follows within `WINDOW` seconds is counted, and told in one line at its end.
Of more callers than `MOST` within a window there is one line for all of the rest.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from nodeward.core.errors import NodewardError

log = logging.getLogger(__name__)

WINDOW = 600.0
MOST = 50
MOST_WAITING = 500  # lines that wait for a config server that is away
LONGEST = 300  # characters of what was asked
REFUSE = "refuse"
OTHERS = ("many callers", None, None)


@dataclass(frozen=True)
class Refused:
    """A line to be: who it said to be, from where, and what was refused with which sentence."""

    who: str
    address: str | None
    what: str
    via: str | None = None  # the server that refused it, where that is another one


@dataclass
class _Heard:
    last: Refused
    since: float
    untold: int = 0


class Refusals:
    """What a server refused. Safe to use from several threads; `unit` tells what is due."""

    def __init__(self, tell: Callable[[Refused], None], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._tell, self._monotonic = tell, monotonic
        self._heard: dict[tuple[str, str | None, str | None], _Heard] = {}
        self._due: list[Refused] = []
        self._lock = threading.Lock()

    def hear(self, refused: Refused) -> None:
        """Take note of a refusal; it costs the one who was refused no time."""
        line = Refused(_plain(refused.who, 100), refused.address, _plain(refused.what, LONGEST), refused.via)
        with self._lock:
            who = (line.who, line.address, line.via)
            if who not in self._heard and len(self._heard) >= MOST:
                who, line = OTHERS, Refused(OTHERS[0], None, line.what)
            heard = self._heard.get(who)
            if heard is None:
                self._heard[who] = _Heard(line, self._monotonic())
                self._due.append(line)
            else:
                heard.last, heard.untold = line, heard.untold + 1

    def unit(self) -> bool:
        """Tell what is due. One unit of work; return whether there was any. What cannot be told is told the next time."""
        with self._lock:
            self._due += self._ended()
            due, self._due = self._due, []
        for index, line in enumerate(due):
            try:
                self._tell(line)
            except NodewardError as error:
                log.debug("What was refused cannot be told now: %s", error)
                with self._lock:
                    self._due = (due[index:] + self._due)[-MOST_WAITING:]
                return False
        return bool(due)

    def _ended(self) -> list[Refused]:
        """Forget the callers whose window has ended. Return a line for each that was refused again meanwhile."""
        now = self._monotonic()
        ended = [self._heard.pop(who) for who, heard in list(self._heard.items()) if heard.since + WINDOW <= now]
        return [
            replace(each.last, what=f"{each.last.what} ({each.untold} more within {WINDOW / 60:.0f} minutes)")
            for each in ended
            if each.untold
        ]


def _plain(text: str, most: int) -> str:
    """What a stranger sent, as text that is short and does nothing to a screen."""
    printable = "".join(each if each.isprintable() else "?" for each in text[: most + 1])
    return printable if len(printable) <= most else printable[: most - 1] + "…"
