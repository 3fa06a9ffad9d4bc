"""The disk queue between reading and sending, and with it the truth about how far each file was read.

A frame is a batch together with the state of its file's life behind it: the two are written as one, so that no crash can
part them. Frames lie in segments, `<number>.seg`, each framed by length and CRC-32. The checkpoint holds the states as of the
last acknowledged frame; what was read is the checkpoint, then every frame behind it. So whatever a power cut takes away is
either acknowledged, or read again from its file under the same keys, which the log server cuts off as repeated.

A segment is deleted when all in it is acknowledged and the checkpoint covers it.
"""

import fcntl
import logging
import os
import struct
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from nodeward.core.errors import ConfigError
from nodeward.core.files import sync_directory

log = logging.getLogger(__name__)

SEGMENT = 16 * 1024 * 1024
_MAGIC = 0x5746_4C54
_HEADER = struct.Struct(
    "<IIIIB"
)  # magic, length of the state, length of the body, CRC-32 of both, whether its life is new


class Position(NamedTuple):
    """A place between two frames: the number of a segment, a byte in it."""

    segment: int
    byte: int


@dataclass(frozen=True, slots=True)
class Frame:
    """A batch, the state of its life behind it, and where the next frame begins. `fresh`: the first of its life."""

    state: bytes
    body: bytes
    fresh: bool
    after: Position


class Spool:
    """The queue in `directory`, at most `most` bytes. One thread appends, another takes; a second program is refused."""

    def __init__(self, directory: Path, most: int) -> None:
        self._directory, self.most = directory, most
        self._lock = _claimed(directory)
        self._changed = threading.Condition()
        self._sizes = _cleaned(directory)
        self._acknowledged = Position(min(self._sizes, default=1), 0)
        number = max(self._sizes, default=0) + 1  # never append behind what a crash may have left torn
        self._writer, self._end = self._opened(number), Position(number, 0)
        self._readers: dict[int, int] = {}
        self._synced = self._end
        self._syncing = threading.Lock()

    @property
    def end(self) -> Position:
        """Where the next frame will lie."""
        return self._end

    @property
    def size(self) -> int:
        """How much of the disk it takes."""
        return sum(self._sizes.values())

    @property
    def waiting(self) -> int:
        """How many bytes are not acknowledged yet."""
        return self._behind(self._acknowledged)

    @property
    def full(self) -> bool:
        """Whether reading has to pause."""
        return self.waiting >= self.most

    def append(self, state: bytes, body: bytes, fresh: bool = False) -> None:
        """Add a frame. Raise OSError, leaving nothing behind, if it cannot be written."""
        if self._end.byte >= SEGMENT:
            self._roll()
        number, place = self._end
        header = _HEADER.pack(_MAGIC, len(state), len(body), zlib.crc32(body, zlib.crc32(state)), fresh)
        try:
            _write(self._writer, header + state + body)
        except OSError:
            os.ftruncate(self._writer, place)
            raise
        with self._changed:
            self._end = Position(number, place + len(header) + len(state) + len(body))
            self._sizes[number] = self._end.byte
            self._changed.notify()

    def frames(self, start: Position) -> Iterator[Frame]:
        """Yield the frames from `start` on. What cannot be read ends its segment, and is said."""
        for number in sorted(self._sizes.copy()):
            if number >= start.segment:
                yield from self._segment(number, start.byte if number == start.segment else 0)

    def wait(self, start: Position, seconds: float) -> bool:
        """Wait until there is a frame behind `start`; return whether there is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._behind(start) > 0, seconds)

    def acknowledge(self, position: Position) -> None:
        """Take everything before `position` as done."""
        self._acknowledged = position

    def drop(self, covered: Position) -> None:
        """Delete the segments that lie before `covered`, the position that the checkpoint holds."""
        for number in [one for one in self._sizes if one < covered.segment and one < self._end.segment]:
            (self._directory / _name(number)).unlink(missing_ok=True)
            self._sizes.pop(number)
            if (reader := self._readers.pop(number, None)) is not None:
                os.close(reader)

    def sync(self) -> None:
        """Make every frame written so far survive a power cut."""
        with self._syncing:
            end = self._end
            if end == self._synced:
                return
            os.fdatasync(self._writer)
            if end.segment != self._synced.segment or not self._synced.byte:
                sync_directory(self._directory)
            self._synced = end

    def close(self) -> None:
        """Let another program have it."""
        self.sync()
        for descriptor in (self._writer, *self._readers.values(), self._lock):
            os.close(descriptor)

    def _behind(self, start: Position) -> int:
        sizes = self._sizes.copy()
        return sum(size for number, size in sizes.items() if number > start.segment) + max(
            0, sizes.get(start.segment, 0) - start.byte
        )

    def _roll(self) -> None:
        self.sync()  # the writer's descriptor goes
        number = self._end.segment + 1
        writer = self._opened(number)
        with self._syncing, self._changed:
            old, self._writer = self._writer, writer
            self._end = Position(number, 0)
        os.close(old)

    def _opened(self, number: int) -> int:
        descriptor = os.open(
            self._directory / _name(number), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        self._sizes[number] = 0
        return descriptor

    def _segment(self, number: int, place: int) -> Iterator[Frame]:
        reader = self._readers.get(number)
        if reader is None:
            reader = self._readers[number] = os.open(self._directory / _name(number), os.O_RDONLY | os.O_CLOEXEC)
        while place < self._sizes.get(number, 0):
            frame = _read(reader, number, place)
            if frame is None:
                if self._sizes[number] - place:
                    log.error(
                        "The spool's segment %s cannot be read from byte %d on; going on behind it.",
                        _name(number),
                        place,
                    )
                return
            yield frame
            place = frame.after.byte


def _read(reader: int, number: int, place: int) -> Frame | None:
    header = os.pread(reader, _HEADER.size, place)
    if len(header) < _HEADER.size:
        return None
    magic, states, bodies, crc, fresh = _HEADER.unpack(header)
    if magic != _MAGIC:
        return None
    data = os.pread(reader, states + bodies, place + _HEADER.size)
    if len(data) < states + bodies or zlib.crc32(data) != crc:
        return None
    return Frame(data[:states], data[states:], bool(fresh), Position(number, place + _HEADER.size + len(data)))


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _name(number: int) -> str:
    return f"{number:012d}.seg"


def _claimed(directory: Path) -> int:
    """Lock the directory for this program."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            f"The spool {directory} cannot be used: {error.strerror}. Check its owner and the disk."
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise ConfigError(
            f"Another tailflog works with {directory} already. Stop it first, or give this one a directory of its own (--state)."
        ) from None
    return lock


def _cleaned(directory: Path) -> dict[int, int]:
    """Return the segments that are there, by number, with their sizes, each cut behind its last whole frame."""
    sizes = {}
    for path in sorted(directory.glob("*.seg")):
        number = int(path.stem)
        reader = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            place, size = 0, os.fstat(reader).st_size
            while frame := _read(reader, number, place):
                place = frame.after.byte
            if size > place:
                log.warning(
                    "The spool's segment %s ends with %d bytes of no whole frame; they are read anew.",
                    path,
                    size - place,
                )
                os.ftruncate(reader, place)
        finally:
            os.close(reader)
        if place:
            sizes[number] = place
        else:
            path.unlink()
    return sizes
