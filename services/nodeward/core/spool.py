"""A durable queue of byte records on disk: first in, first out, with a cursor.

What `append` was given is in the queue when the call returns, so that a killed process loses nothing; what `read` gives was
made durable (fsync) before, so that a sequence number is never used twice for what another server has seen. Nothing leaves
before `acknowledge`; after a crash between sending and acknowledging, the same records come again under the same numbers.

On disk: segments ``<life>.<generation>.<first sequence>.seg`` of records (length, CRC-32, bytes), and `cursor`. A life is one
opening of the spool: each has a generation of its own, so that a disk set back to an older state starts a new one rather than
using numbers again. A torn or damaged record ends its segment; what follows it there is counted in `damaged`.
"""

import contextlib
import fcntl
import logging
import os
import struct
import threading
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nodeward.core.errors import ConfigError, Unavailable
from nodeward.core.files import sync_directory

log = logging.getLogger(__name__)

_HEAD = struct.Struct("<II")  # length, CRC-32 of the length and the bytes
_CURSOR = struct.Struct("<QQQI")  # life, sequence of the next record to read, its place in the segment, CRC-32
MAX_RECORD = 64 * 1024 * 1024


class SpoolFull(Unavailable):
    """There is no room; the records were not taken."""


@dataclass(frozen=True)
class Records:
    """Records to send: the first has sequence number `first` within `generation`, the rest follow without a gap."""

    generation: str
    first: int
    records: list[bytes]
    life: int
    end: int  # place in the segment behind the last one


@dataclass
class _Segment:
    path: Path
    life: int
    generation: str
    first: int
    count: int = 0
    size: int = 0
    durable: int = 0  # so much of it survives a power failure

    @property
    def after(self) -> int:
        return self.first + self.count


@dataclass
class _Cursor:
    life: int = 0
    sequence: int = 0
    place: int = 0


@dataclass
class Figures:
    """What the spool holds and lost: `pending` records in `size` bytes, `dropped` ones for want of room, `damaged` bytes."""

    pending: int = 0
    size: int = 0
    dropped: int = 0
    damaged: int = 0


class Spool:
    """The queue in `directory`, for one process. Safe to use from several threads.

    At most `max_bytes` lie on disk. Then `append` raises SpoolFull, or with `drop_oldest` gives up the oldest segment and
    counts its records as dropped.
    """

    def __init__(
        self,
        directory: Path,
        max_bytes: int = 256 * 1024 * 1024,
        segment_bytes: int = 8 * 1024 * 1024,
        drop_oldest: bool = False,
    ) -> None:
        self._directory = directory
        self._max, self._segment_max, self._drop_oldest = max_bytes, min(segment_bytes, max_bytes // 4), drop_oldest
        self._lock = threading.RLock()
        self._segments: list[_Segment] = []
        self._figures = Figures()
        self._descriptor = -1  # of the newest segment
        self._guard = self._lock_directory()
        self._cursor_file = os.open(directory / "cursor", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._cursor = _read_cursor(self._cursor_file)
        self._life, self._generation, self._next = 1, "", 0
        self._recover()

    @property
    def generation(self) -> str:
        """The name of this life of the spool."""
        return self._generation

    @property
    def next_sequence(self) -> int:
        """The number that the next record appended gets, within `generation`."""
        with self._lock:
            return self._next

    @property
    def figures(self) -> Figures:
        """How full it is, and what it lost."""
        with self._lock:
            self._figures.size = sum(segment.size for segment in self._segments)
            self._figures.pending = self._pending()
            return Figures(**vars(self._figures))

    def append(self, records: Sequence[bytes]) -> None:
        """Put `records` at the end, all or none. Raise SpoolFull, or Unavailable if the disk does not take them."""
        data = b"".join(piece for record in records for piece in (_head(record), record))
        if not data:
            return
        with self._lock:
            self._make_room(len(data))
            segment = self._open_segment()
            _write_all(self._descriptor, data, segment.size, segment.path)
            segment.count += len(records)
            segment.size += len(data)
            self._next += len(records)

    def sync(self) -> None:
        """Make everything appended so far survive a power failure."""
        with self._lock:
            if not self._segments or self._descriptor < 0 or self._segments[-1].durable == self._segments[-1].size:
                return
            segment, size, descriptor = self._segments[-1], self._segments[-1].size, os.dup(self._descriptor)
        try:
            os.fsync(descriptor)  # without the lock: a slow disk must not hold up those who append
        except OSError as error:
            raise Unavailable(f"The spool {segment.path} cannot be made durable ({error.strerror}).") from None
        finally:
            os.close(descriptor)
        with self._lock:
            segment.durable = max(segment.durable, size)

    def read(self, limit: int = 1000, max_bytes: int = 4 * 1024 * 1024) -> Records | None:
        """Return the oldest records, at most `limit` in about `max_bytes`, of one generation; None if there are none.

        The same ones come until `acknowledge`.
        """
        self.sync()
        with self._lock:
            while self._segments:
                segment = self._segments[0]
                found, end = self._read_segment(segment, limit, max_bytes)
                if found:
                    return Records(segment.generation, self._cursor.sequence, found, segment.life, end)
                if not self._leave(segment):
                    return None
            return None

    def acknowledge(self, records: Records) -> None:
        """Let go of what `read` gave. Doing so twice, or after they were dropped for want of room, does no harm."""
        with self._lock:
            after = records.first + len(records.records)
            if records.life != self._cursor.life or after <= self._cursor.sequence:
                return
            self._move(records.life, after, records.end)
            segment = self._segments[0]
            if segment.after <= after and segment.size > self._segment_max // 2:
                self._leave(segment)

    def close(self) -> None:
        """Make everything durable and let another process have the directory."""
        with self._lock:
            self.sync()
            self._close_segment()
            for descriptor in (self._cursor_file, self._guard):
                if descriptor >= 0:
                    os.close(descriptor)
            self._guard = self._cursor_file = -1

    # -- opening

    def _lock_directory(self) -> int:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            guard = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(f"The spool {self._directory} cannot be used ({error.strerror}).") from None
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(guard)
            raise ConfigError(f"The spool {self._directory} is in use by another process.") from None
        return guard

    def _recover(self) -> None:
        for path in sorted(self._directory.glob("*.seg")):
            self._take(path)
        self._life = max([self._cursor.life, *(segment.life for segment in self._segments)]) + 1
        self._generation = f"{self._life}-{uuid.uuid4().hex[:12]}"
        self._begin_at_oldest()

    def _take(self, path: Path) -> None:
        """Count what is in a segment of an earlier life; forget one that was read to its end."""
        try:
            life, generation, first, _ = path.name.split(".")
            segment = _Segment(path, int(life), generation, int(first))
            data = path.read_bytes()
        except (ValueError, OSError) as error:
            log.error("The spool's file %s cannot be read and is left alone: %s", path, error)
            return
        records, segment.size = _records(data)
        segment.count, segment.durable = len(records), segment.size
        if segment.size < len(data):
            self._figures.damaged += len(data) - segment.size
            log.warning("%s: the last %d bytes are torn and left out", path.name, len(data) - segment.size)
        if self._was_read(segment) or not segment.count:
            path.unlink()
        else:
            self._segments.append(segment)

    def _was_read(self, segment: _Segment) -> bool:
        return (segment.life, segment.after) <= (self._cursor.life, self._cursor.sequence)

    def _begin_at_oldest(self) -> None:
        """Let the cursor be within the oldest segment, wherever it was."""
        if not self._segments:
            self._cursor = _Cursor(self._life)
        else:
            oldest = self._segments[0]
            inside = oldest.life == self._cursor.life and oldest.first <= self._cursor.sequence <= oldest.after
            if not inside:
                self._cursor = _Cursor(oldest.life, oldest.first, 0)

    # -- segments

    def _open_segment(self) -> _Segment:
        if self._descriptor >= 0 and self._segments and self._segments[-1].size < self._segment_max:
            return self._segments[-1]
        self._close_segment()
        path = self._directory / f"{self._life:08d}.{self._generation}.{self._next:012d}.seg"
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(f"The spool {path} cannot be made ({error.strerror}).") from None
        sync_directory(self._directory)
        self._segments.append(_Segment(path, self._life, self._generation, self._next))
        if len(self._segments) == 1:
            self._cursor = _Cursor(self._life, self._next, 0)
        return self._segments[-1]

    def _close_segment(self) -> None:
        if self._descriptor >= 0:
            with contextlib.suppress(Unavailable):  # then they are read while in memory, or lost with the disk
                self.sync()
            os.close(self._descriptor)
            self._descriptor = -1
            self._segments[-1].durable = self._segments[-1].size

    def _make_room(self, wanted: int) -> None:
        while self._segments and sum(segment.size for segment in self._segments) + wanted > self._max:
            if not self._drop_oldest:
                raise SpoolFull(
                    f"The spool {self._directory} is full ({self._max} bytes): what it holds could not be sent for too long."
                )
            self._drop(self._segments[0])

    def _drop(self, segment: _Segment) -> None:
        lost = segment.after - max(segment.first, self._cursor.sequence)
        self._figures.dropped += lost
        log.error("The spool %s is full: its oldest %d records are given up", self._directory, lost)
        self._forget(segment)

    def _leave(self, segment: _Segment) -> bool:
        """Delete a segment that was read to its end, unless it is the one being written and empty beyond. Say whether."""
        if segment is self._segments[-1] and segment.size == 0:
            return False
        if self._cursor.place >= segment.durable < segment.size:
            return False  # what is left was appended a moment ago and is not durable yet
        if segment.after > self._cursor.sequence:
            self._figures.damaged += segment.size - self._cursor.place
            log.error("%s is damaged at byte %d: the rest of it is left out", segment.path, self._cursor.place)
        elif segment is self._segments[-1] and self._descriptor >= 0 and segment.size <= self._segment_max // 2:
            return False
        self._forget(segment)
        return True

    def _forget(self, segment: _Segment) -> None:
        if segment is self._segments[-1]:
            self._close_segment()
        self._segments.remove(segment)
        with contextlib.suppress(FileNotFoundError):
            segment.path.unlink()
        if self._segments:
            oldest = self._segments[0]
            self._move(oldest.life, oldest.first, 0)
        else:
            self._move(self._life, self._next, 0)

    def _read_segment(self, segment: _Segment, limit: int, max_bytes: int) -> tuple[list[bytes], int]:
        with contextlib.suppress(FileNotFoundError), segment.path.open("rb") as file:
            file.seek(self._cursor.place)
            available = segment.durable - self._cursor.place
            data = file.read(min(max_bytes, available))
            if len(data) >= _HEAD.size:
                whole = _HEAD.size + _HEAD.unpack_from(data)[0]
                data += file.read(max(0, min(whole, available) - len(data)))
            found, size = _records(data, limit)
            return found, self._cursor.place + size
        return [], self._cursor.place

    # -- the cursor

    def _move(self, life: int, sequence: int, place: int) -> None:
        self._cursor = _Cursor(life, sequence, place)
        packed = struct.pack("<QQQ", life, sequence, place)
        with contextlib.suppress(OSError):  # an old cursor only means that some records are sent again
            os.pwrite(self._cursor_file, packed + struct.pack("<I", zlib.crc32(packed)), 0)

    def _pending(self) -> int:
        if not self._segments:
            return 0
        oldest = self._segments[0]
        return sum(segment.count for segment in self._segments) - (self._cursor.sequence - oldest.first)


def _head(record: bytes) -> bytes:
    length = len(record)
    if length > MAX_RECORD:
        raise ValueError(f"a record of {length} bytes is larger than the spool takes ({MAX_RECORD})")
    return _HEAD.pack(length, zlib.crc32(record, length))


def _records(data: bytes, limit: int | None = None) -> tuple[list[bytes], int]:
    """Return the whole and sound records that `data` begins with, at most `limit`, and the place behind the last."""
    found: list[bytes] = []
    place, available = 0, len(data)
    while place + _HEAD.size <= available and (limit is None or len(found) < limit):
        length, checksum = _HEAD.unpack_from(data, place)
        end = place + _HEAD.size + length
        if end > available:
            break
        record = data[place + _HEAD.size : end]
        if zlib.crc32(record, length) != checksum:
            break
        found.append(record)
        place = end
    return found, place


def _write_all(descriptor: int, data: bytes, place: int, path: Path) -> None:
    """Write at `place`, so that a write that failed half-way is written over by the next. Raise Unavailable if it fails."""
    written = 0
    try:
        while written < len(data):
            written += os.pwrite(descriptor, data[written:], place + written)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, place)
        raise Unavailable(f"The spool {path.parent} does not take more ({error.strerror}).") from None


def _read_cursor(descriptor: int) -> _Cursor:
    packed = os.pread(descriptor, _CURSOR.size, 0)
    if len(packed) == _CURSOR.size:
        life, sequence, place, checksum = _CURSOR.unpack(packed)
        if zlib.crc32(packed[: _CURSOR.size - 4]) == checksum:
            return _Cursor(life, sequence, place)
    return _Cursor()
