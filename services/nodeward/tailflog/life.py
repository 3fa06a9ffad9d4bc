"""The life of a file: from its first byte until it is deleted, truncated or written anew.

A life has a generation id of its own, and the key of a record is (node, source, generation, offset): so the same bytes read
twice are the same records. Neither an inode nor the first bytes alone tell a life again. Three things together do:

- device and inode;
- marks: CRC-32 of the first 32, 64, 128 … bytes, more of them as the file grows, and of everything up to the offset;
- a hash of the bytes just before the offset.

The marks also tell a copy of a file (logrotate's copytruncate makes one) from a file that merely begins alike.
"""

import hashlib
import os
import uuid
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import msgpack

TAIL = 256
_FIRST_MARK = 32
_STEP = 1024 * 1024

Key = tuple[str, int, int]  # source, device, inode
Read = Callable[[int, int], bytes]  # (how many bytes, from where) → the bytes, fewer at the end of the file


@dataclass(frozen=True, slots=True)
class Life:
    """What must be known to go on with a file. `offset` is behind the last record; `cut` > 0 in the midst of an overlong line."""

    generation: str
    source: str
    path: str  # the last one at which its source named it
    device: int
    inode: int
    born: int  # µs
    offset: int = 0
    crc: int = 0  # of everything before offset
    tail: bytes = b""
    marks: tuple[tuple[int, int], ...] = ()
    cut: int = 0
    encoding: str = ""
    begun: bool = False  # whether the first bytes have been looked at for a byte order mark

    @property
    def key(self) -> Key:
        """The source and the inode."""
        return self.source, self.device, self.inode

    def packed(self) -> bytes:
        """Return it as it is kept on disk."""
        return msgpack.packb([getattr(self, name) for name in self.__slots__])

    def passed(self, data: bytes, recent: bytes, cut: int = 0) -> "Life":
        """Return the life behind `data`, which lay at its offset; `recent` ends with the last bytes of it."""
        marks, crc, offset = list(self.marks), self.crc, self.offset
        end = offset + len(data)
        place = 0
        mark = max(_FIRST_MARK, 1 << offset.bit_length())
        while mark <= end:
            crc = zlib.crc32(data[place : mark - offset], crc)
            place = mark - offset
            marks.append((mark, crc))
            mark *= 2
        crc = zlib.crc32(memoryview(data)[place:], crc)
        return replace(self, offset=end, crc=crc, tail=digest(recent), marks=tuple(marks), cut=cut)

    def continues(self, read: Read, size: int) -> bool:
        """Say whether a file of `size` bytes, read by `read`, is this one: its beginning, and what lies before the offset."""
        if size < self.offset:
            return False
        known = [mark for mark in self.marks if mark[0] <= 4096][-1:]
        return self._before(read) and all(checksum(read, length) == crc for length, crc in known)

    def copied(self, read: Read, size: int) -> bool:
        """Say whether a file of `size` bytes is a copy of this life's, as far as both go."""
        if size >= self.offset:
            return self._before(read) and checksum(read, self.offset) == self.crc
        known = [mark for mark in self.marks if mark[0] <= size][-1:]
        return bool(known) and all(checksum(read, length) == crc for length, crc in known)

    def _before(self, read: Read) -> bool:
        start = max(0, self.offset - TAIL)
        return self.offset == 0 or digest(read(self.offset - start, start)) == self.tail


def unpacked(data: bytes) -> Life:
    """Return the life that `packed` made these bytes of. Raise ValueError if it did not."""
    values = msgpack.unpackb(data)
    if not isinstance(values, list) or len(values) != len(Life.__slots__):
        raise ValueError("no state of a file that this version knows")
    given = dict(zip(Life.__slots__, values, strict=True))
    return Life(**{**given, "marks": tuple((length, crc) for length, crc in given["marks"])})


def newest(lives: Iterable[Life]) -> tuple[dict[Key, Life], list[Life]]:
    """Return the newest life of each inode, and those that a truncation ended before."""
    found: dict[Key, Life] = {}
    outdated = []
    for life in sorted(lives, key=lambda life: life.born):
        if life.key in found:
            outdated.append(found[life.key])
        found[life.key] = life
    return found, outdated


def begin(source: str, path: str, device: int, inode: int, at: int) -> Life:
    """Return a new life."""
    return Life(uuid.uuid4().hex, source, path, device, inode, at)


def behind(life: Life, read: Read, size: int) -> Life:
    """Return the life with everything in a file of `size` bytes behind it."""
    while life.offset < size and (data := read(min(_STEP, size - life.offset), life.offset)):
        recent = read(min(TAIL, life.offset), max(0, life.offset - TAIL)) + data[-TAIL:]
        life = life.passed(data, recent)
    return replace(life, begun=True)


def digest(recent: bytes) -> bytes:
    """Return the hash of the last bytes before an offset."""
    return hashlib.blake2b(recent[-TAIL:], digest_size=16).digest()


def reading(descriptor: int) -> Read:
    """Return what reads an open file."""
    return lambda size, place: os.pread(descriptor, size, place)


def checksum(read: Read, length: int) -> int:
    """Return the CRC-32 of a file's first `length` bytes."""
    crc = place = 0
    while place < length:
        piece = read(min(_STEP, length - place), place)
        if not piece:
            return -1
        crc = zlib.crc32(piece, crc)
        place += len(piece)
    return crc
