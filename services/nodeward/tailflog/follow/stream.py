"""One file while it is followed: its descriptor, and the bytes of it that are read but not yet shipped."""

import errno
import os
import time
from dataclasses import dataclass, replace
from pathlib import PurePath

from nodeward.tailflog.life import TAIL, Key, Life
from nodeward.tailflog.lines import LONGEST, Lines, preamble, split
from nodeward.tailflog.multiline import records
from nodeward.tailflog.parse import Parser

CHUNK = 512 * 1024
UNFINISHED = 10  # times as long is waited while a line is being written
_ENOUGH = 4  # bytes to tell a byte order mark


class Rewritten(Exception):
    """The file was truncated or written anew: what comes next is another life."""


@dataclass(slots=True)
class Chunk:
    """Whole records, and the life behind them.

    `settled` says that reading the same bytes again, whenever, would give the same records: nothing was cut off by a clock.
    """

    lines: Lines
    after: Life
    size: int
    settled: bool


class Stream:
    """A life that is being followed. It reads nothing twice: `take` hands out lines, `accept` moves the offset behind them.

    `listed` says whether its path is among the source's; `judged` whether it is known to be no copy of another file. While a
    record of several lines may still go on, `due` says until when it is waited for.
    """

    def __init__(self, life: Life, parser: Parser, path: str) -> None:
        self.life, self.parser, self.path = life, parser, path
        self.listed, self.judged = True, life.offset > 0
        self.seen = (-1, -1)  # size and mtime (ns) that a scan met last
        self.active = 0.0  # when it last had something new (monotonic)
        self.spent = 0.0  # the time it has taken of everyone's, for fairness
        self.fresh = not life.begun  # nothing of this life is on disk yet
        self.queued = False
        self.trouble = ""  # why it cannot be read at present
        self.vanished = 0.0  # since when no path leads to it (monotonic)
        self.due = 0.0  # when an open record counts as complete (monotonic), 0 if there is none
        self.timed = False  # whether somebody will look then
        self.changed = 0.0  # the file's last change that was seen (s)
        self._file = -1
        self._head = b""  # the file's first bytes
        self._before = b""  # those before the offset
        self._held = b""
        self._more = False
        self._mtime = -1
        self._grown_at = 0.0  # when something new was read last (monotonic)

    @property
    def key(self) -> Key:
        """The source and the inode."""
        return self.life.key

    @property
    def stem(self) -> tuple[str, str]:
        """The source, and the name up to its first dot: what a copy's name has in common with it."""
        return self.life.source, stem(self.path)

    @property
    def is_open(self) -> bool:
        """Whether it has a descriptor."""
        return self._file >= 0

    def open(self) -> None:
        """Open the file at its path. Raise OSError if that fails or leads elsewhere, Rewritten if it is this life no more."""
        self._file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        status = os.fstat(self._file)
        if (status.st_dev, status.st_ino) != (self.life.device, self.life.inode):
            self.close()
            raise FileNotFoundError(errno.ENOENT, "another file is there now", self.path)
        if not self.life.continues(self.read, status.st_size):
            raise Rewritten
        self._remember()

    def close(self) -> None:
        """Give the descriptor back; what was not shipped is read again when it is opened again."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._held, self._head, self._before = -1, b"", b"", b""
        self._more, self._mtime, self.due = False, -1, 0.0

    def read(self, size: int, place: int) -> bytes:
        """Return bytes of the file."""
        return os.pread(self._file, size, place)

    def status(self) -> os.stat_result:
        """Return the open file's status."""
        return os.fstat(self._file)

    def begin(self, life: Life) -> None:
        """Follow the same descriptor as another life, from that one's offset."""
        self.life = life
        self._remember()
        self._held, self._more, self._mtime, self.judged, self.due = b"", False, -1, life.offset > 0, 0.0
        self.fresh = not life.begun

    def grown(self) -> bool:
        """Say whether there may be something new to read."""
        status = os.fstat(self._file)
        return self._more or status.st_size != self.life.offset + len(self._held) or status.st_mtime_ns != self._mtime

    def rewritten(self) -> bool:
        """Say whether the file is plainly another than what was read of it: its next turn begins another life."""
        try:
            status = self.status() if self.is_open else os.stat(self.path)
            head = self.read(len(self._head), 0) if self.is_open else b""
        except OSError:
            return False
        return not self.trouble and (status.st_size < self.life.offset or head != self._head)

    def take(self, final: bool = False) -> Chunk | None:
        """Return the next whole records, None if there are none yet; with `final`, the last line too, if it has no newline.

        Raise Rewritten if the file is not what it was, OSError if it cannot be read. Taking twice gives the same.
        """
        overdue = 0 < self.due <= time.monotonic()
        if not self._more and not self._fill() and not final and not overdue:
            return None
        if not self.life.begun and not self._begin(final):
            return None
        return self._chunk(final, final or (0 < self.due <= time.monotonic()))

    def rest(self) -> Chunk | None:
        """Return the record that may still go on as it is: for when nobody will be able to read it again."""
        return self._chunk(final=False, whole=True) if self.due else None

    def _chunk(self, final: bool, whole: bool) -> Chunk | None:
        life, rule = self.life, self.parser.rule
        lines = split(self._held, life.offset, life.encoding, life.cut, final)
        self.due = 0.0
        if rule and lines:
            behind = life.offset + len(self._held) - lines.end
            if (lines := records(lines, rule, behind, whole)) is None:
                self.due = self._grown_at + rule.wait * (UNFINISHED if behind else 1)
        self._more = lines is not None  # until they are accepted, they are there to be taken again
        if lines is None:
            return None
        data = self._held[: lines.end - life.offset]
        after = life.passed(data, self._before + data[-TAIL:], lines.cut)
        return Chunk(lines, after, len(data), settled=not whole)

    def accept(self, chunk: Chunk) -> None:
        """Move behind what `take` gave: it is safe elsewhere."""
        self._before = (self._before + self._held[: chunk.size][-TAIL:])[-TAIL:]
        self._held = self._held[chunk.size :]
        self._more = b"\n" in self._held or len(self._held) >= LONGEST
        self.life, self.fresh = chunk.after, False

    def _remember(self) -> None:
        """Keep what tells, while it is open, whether the file is still the same."""
        start = max(0, self.life.offset - TAIL)
        self._before = self.read(self.life.offset - start, start)
        self._head = self.read(min(self.life.offset, TAIL), 0)

    def _fill(self) -> bool:
        """Read on. Return whether anything came."""
        status = os.fstat(self._file)
        self.changed = status.st_mtime
        place = self.life.offset + len(self._held)
        known = (self._before + self._held[-TAIL:])[-TAIL:]
        if status.st_size < place:
            raise Rewritten
        if status.st_size == place and status.st_mtime_ns == self._mtime:
            return False
        if self.read(len(self._head), 0) != self._head:
            raise Rewritten
        data = os.pread(self._file, CHUNK + len(known), place - len(known))
        if data[: len(known)] != known:
            raise Rewritten
        self._held += data[len(known) :]
        if len(self._head) < TAIL:
            self._head += data[len(known) :][: TAIL - len(self._head)]
        if place + len(data) - len(known) >= status.st_size:
            self._mtime = status.st_mtime_ns
        if len(data) == len(known):
            return False
        self._grown_at, self.due = time.monotonic(), 0.0
        return True

    def _begin(self, final: bool) -> bool:
        """Look at the first bytes for what belongs to no line. Return whether a line has begun."""
        skip, encoding = preamble(self._held, self.parser.source.encoding or "")
        if len(self._held) < _ENOUGH and b"\n" not in self._held and not final:
            return False
        head, rest = self._held[:skip], self._held[skip:]
        self.life = replace(self.life.passed(head, self._before + head[-TAIL:]), encoding=encoding, begun=bool(rest))
        self._before, self._held = (self._before + head[-TAIL:])[-TAIL:], rest
        return self.life.begun


def stem(path: str) -> str:
    """Return a file's name up to its first dot (not the one it begins with)."""
    name = PurePath(path).name
    return name[:1] + name[1:].partition(".")[0]
