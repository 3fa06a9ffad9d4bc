"""How it goes: `status.json` every few seconds, and a line in the log when there is something to say.

Lines that flow are no news: a line about them could itself be followed somewhere (a container's output, journald's syslog),
and would then make the next one. So it is said what changed in what is followed or did not parse, and once an hour that all
is well; and neither is shipped.
"""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from nodeward.core.files import write_atomic
from nodeward.core.log import no_shipping
from nodeward.core.words import counted

log = logging.getLogger(__name__)
no_shipping(__name__)  # a line about shipping must not make another

WRITE = 10.0  # seconds between two times that the file is written
SAY = 60.0  # the least time between two lines
HEARTBEAT = 3600.0  # the longest


@dataclass(frozen=True)
class Figures:
    """What tailflog knows of itself."""

    time: str
    files: int
    lines: int
    bytes: int
    parse_errors: int
    waiting_bytes: int
    spool_bytes: int
    sent_bytes: int
    refused_batches: int
    paused: str
    trouble: str


class Status:
    """Writes the figures that `now` returns into `path`, and says what of them is news."""

    def __init__(self, path: Path, now: Callable[[], Figures], clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._now, self._clock = path, now, clock
        self._said: Figures | None = None
        self._said_at = clock()
        self._write_at = float("-inf")

    def unit(self) -> bool:
        """Write them when it is due."""
        now = self._clock()
        if now < self._write_at:
            return False
        self._write_at = now + WRITE
        figures = self._now()
        write_atomic(self._path, json.dumps(asdict(figures), indent=1))
        self._say(figures, now)
        return False

    def _say(self, figures: Figures, now: float) -> None:
        before, passed = self._said or figures, now - self._said_at
        self._said = before
        if passed >= SAY and (words := news(before, figures) or (passed >= HEARTBEAT and heartbeat(before, figures))):
            log.info("%s", words)
            self._said, self._said_at = figures, now


def news(before: Figures, figures: Figures) -> str:
    """Return what is worth a line since `before`, "" if nothing is."""
    unparsed, refused = figures.parse_errors - before.parse_errors, figures.refused_batches - before.refused_batches
    said = [
        (before.files != figures.files, f"files followed: {figures.files}, {before.files} before"),
        (unparsed > 0, f"{unparsed} of {counted(figures.lines - before.lines, 'line')} did not parse and are kept raw"),
        (refused > 0, f"{counted(refused, 'batch', 'batches')} refused for good"),
    ]
    return "; ".join(words for so, words in said if so)


def heartbeat(before: Figures, figures: Figures) -> str:
    """Return the line that says that it is alive."""
    return (
        f"{counted(figures.lines - before.lines, 'line')} of {counted(figures.files, 'file')} since it was said last; "
        f"waiting in the spool: {counted(figures.waiting_bytes, 'byte')}."
    )
