"""Log lines on their way from the web server to the browser: slim, cut to what a screen can take, gathered into frames."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from nodeward.core import clock

MESSAGE_CHARS = 4096  # of a message on a page; the rest is asked for by "show all"
FRAME_LINES = 200
FRAME_BYTES = 256 * 1024
LINE_BYTES = 160  # what a line costs on the wire beside its message, roughly

# (id, time, node, source, host, ident, pid, level, message, characters cut off, 1 if its format did not fit).
# A tuple and not an object: the names of the keys would be a third of every frame. assets/logs/line.ts reads it.
Line = tuple[str, str, str, str, str | None, str | None, int | None, str | None, str, int, int]


def line(record: dict[str, Any]) -> Line:
    """Given a record as the log server gives it, return the line that a page shows."""
    message = record["message"] or record["raw"]
    return (
        record["id"],
        record["time"],
        record["node"],
        record["source"],
        record["host"],
        record["ident"],
        record["pid"],
        record["level"],
        message[:MESSAGE_CHARS],
        max(0, len(message) - MESSAGE_CHARS),
        1 if record["parse_error"] else 0,
    )


@dataclass
class Frame:
    """What goes to the browsers at once: the newest lines, and how many were left out before them.

    `skipped` counts the lines left out; `first` and `last` are the earliest and the latest of their times.
    """

    lines: list[Line] = field(default_factory=list)
    skipped: int = 0
    first: str | None = None
    last: str | None = None
    _bytes: int = 0

    def add(self, lines: Iterable[Line], most: int = FRAME_LINES, most_bytes: int = FRAME_BYTES) -> None:
        """Add lines at the end; drop the oldest ones beyond the caps, and count them."""
        for one in lines:
            self.lines.append(one)
            self._bytes += _size(one)
        dropped = 0
        while len(self.lines) - dropped > most or (self._bytes > most_bytes and dropped < len(self.lines) - 1):
            self._leave_out(self.lines[dropped])
            dropped += 1
        del self.lines[:dropped]

    def miss(self, count: int, first: str, last: str) -> None:
        """Note lines that never came here: `count` of them, between two times."""
        self.skipped += count
        self.first = min(filter(None, (self.first, first)))
        self.last = max(filter(None, (self.last, last)))

    def _leave_out(self, one: Line) -> None:
        self._bytes -= _size(one)
        self.miss(1, one[1], one[1])

    def gap(self) -> dict[str, Any] | None:
        """Return the gap as the browser gets it: how many, and the range of time that holds exactly them; or None."""
        if not self.skipped or self.first is None or self.last is None:
            return None
        # a range ends before its `to`
        return {"skipped": self.skipped, "from": self.first, "to": clock.rfc3339(clock.parse_rfc3339(self.last) + 1)}


def _size(one: Line) -> int:
    return LINE_BYTES + len(one[8])


# SGR colours, and the characters that would let a line of a downloaded text act on the terminal that shows it.
_COLOURS = re.compile(r"\x1b\[[\d;:]*m")
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")


def as_text(record: dict[str, Any]) -> str:
    """Return a record as one line of a text file: time, node, source or ident, level, message; controls as \\xNN."""
    message = _COLOURS.sub("", record["message"] or record["raw"])
    visible = _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", message)
    name = record["ident"] or record["source"]
    return f"{record['time']} {record['node']} {name} {record['level'] or '-'}: {visible}\n"
