"""Files between nodes: read whole, written whole or not at all, their checksums compared.

What comes from another node has an end (`must_fit`), and never fills the disk that it is written to (`must_leave_room`).
"""

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Self

from nodeward.core.errors import BadInput, Conflict, NotFound
from nodeward.core.files import sync_directory
from nodeward.core.sizes import text

PIECE = 256 * 1024
ROOM, SHARE = 512 * 1024 * 1024, 0.05  # of a disk stays free: so many bytes, or this part of a small one
LITTLE = 1024 * 1024  # a file that may take of that room: what mends a full disk may have to be copied to it
LOOK_BYTES = 8 * 1024 * 1024  # between two looks at the disk


class TooLarge(BadInput):
    """A file is larger than a copy may be."""

    status = 413
    title = "Too large"


class Source:
    """A file on its way: its size, checksum and permissions, and its content piece by piece."""

    def __init__(self, file: IO[bytes] | Any, size: int, sha256: str, mode: int) -> None:
        self._file, self.size, self.sha256, self.mode = file, size, sha256, mode

    def pieces(self) -> Iterator[bytes]:
        """Yield its content."""
        while piece := self._file.read(PIECE):
            yield piece

    def close(self) -> None:
        """Let go of it."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def must_be_absolute(path: str) -> None:
    """Raise BadInput unless a path is absolute, without `..`, and of characters that paths have."""
    if not path.startswith("/") or ".." in path.split("/") or "\0" in path or any(ord(each) < 32 for each in path):
        raise BadInput(f"{path[:200]!r} is no absolute path of a file.")


def read(path: str, most: int) -> Source:
    """Return a file, its checksum found. Raise NotFound if it cannot be read, TooLarge if it is larger than `most`."""
    must_be_absolute(path)
    try:
        file = open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb")  # noqa: SIM115 - Source closes it
    except OSError as error:
        raise NotFound(f"{path} cannot be read here ({error.strerror}).") from None
    about = os.fstat(file.fileno())
    if not stat.S_ISREG(about.st_mode):
        file.close()
        raise NotFound(f"{path} is no file that could be copied.")
    try:
        must_fit(path, about.st_size, most)
    except TooLarge:
        file.close()
        raise
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = file.tell()
    file.seek(0)
    return Source(file, size, digest, stat.S_IMODE(about.st_mode))


def must_fit(path: str, size: int, most: int) -> None:
    """Raise TooLarge if a file is larger than it may be."""
    if size > most:
        raise TooLarge(
            f"{path} is larger than a copy may be: {size:,} bytes ({text(size)}), and {most:,} ({text(most)}) are allowed. "
            "If it is meant to be so large, let the copy step say so (`max_size: 20GiB`), or set "
            "NODEWARD_NODESERVER_COPY_MEGABYTES on the nodes."
        )


def must_leave_room(path: str, folder: str | int, more: int, whole: int) -> None:
    """Raise Conflict if a disk has too little room once there is so much more on it, of a file of so much."""
    disk = os.statvfs(folder)
    free, total = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    keeps = 0 if whole <= LITTLE else min(ROOM, int(total * SHARE))
    if total and free - more < keeps:
        raise Conflict(
            f"{path} ({text(whole)}) does not fit: its disk has {text(free)} free, and a copy leaves {text(keeps)} of them. "
            "Make room there, or copy it to another disk."
        )


def write(path: str, pieces: Iterable[bytes], sha256: str, mode: int, most: int, size: int | None = None) -> int:
    """Write a file whole, under its name only when its checksum is right. Return its size. `size` is what it is said to have.

    Raise Conflict if it is another one or the disk has too little room, TooLarge if it is larger than `most`, NotFound if it
    cannot be written. Nothing is left then.
    """
    must_be_absolute(path)
    folder, name = os.path.split(path)
    must_fit(path, size or 0, most)
    try:
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name[:100]}.")
    except OSError as error:
        raise NotFound(f"{path} cannot be written here ({error.strerror}).") from None
    try:
        written = _fill(descriptor, pieces, sha256, mode & 0o777, path, most, size)
        os.replace(temporary, path)
    except OSError as error:
        raise NotFound(f"{path} cannot be written here ({error.strerror}).") from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    sync_directory(Path(folder))
    return written


def _fill(
    descriptor: int, pieces: Iterable[bytes], sha256: str, mode: int, path: str, most: int, said: int | None
) -> int:
    digest, size, looked, whole = hashlib.sha256(), 0, 0, said or 0
    with os.fdopen(descriptor, "wb") as file:
        must_leave_room(path, descriptor, whole, whole)
        for piece in pieces:
            whole = max(whole, size + len(piece))
            must_fit(path, whole, most)
            if size >= looked + LOOK_BYTES:
                must_leave_room(path, descriptor, whole - size, whole)
                looked = size
            file.write(piece)
            digest.update(piece)
            size += len(piece)
        os.fchmod(file.fileno(), mode)
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() != sha256:
        raise Conflict(
            f"What came for {path} is not what was sent: it changed on the way, or while it was read. Copy it again."
        )
    return size
