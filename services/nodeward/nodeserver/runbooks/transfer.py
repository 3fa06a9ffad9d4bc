"""Files between nodes: read whole, written whole or not at all, their checksums compared."""

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

PIECE = 256 * 1024


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


def read(path: str) -> Source:
    """Return a file, its checksum found. Raise NotFound if it cannot be read."""
    must_be_absolute(path)
    try:
        file = open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb")  # noqa: SIM115 - Source closes it
    except OSError as error:
        raise NotFound(f"{path} cannot be read here ({error.strerror}).") from None
    about = os.fstat(file.fileno())
    if not stat.S_ISREG(about.st_mode):
        file.close()
        raise NotFound(f"{path} is no file that could be copied.")
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    size = file.tell()
    file.seek(0)
    return Source(file, size, digest, stat.S_IMODE(about.st_mode))


def write(path: str, pieces: Iterable[bytes], sha256: str, mode: int) -> int:
    """Write a file whole, under its name only when its checksum is right. Return its size.

    Raise Conflict if it is another one, NotFound if it cannot be written.
    """
    must_be_absolute(path)
    folder, name = os.path.split(path)
    try:
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name[:100]}.")
    except OSError as error:
        raise NotFound(f"{path} cannot be written here ({error.strerror}).") from None
    try:
        size = _fill(descriptor, pieces, sha256, mode & 0o777, path)
        os.replace(temporary, path)
    except OSError as error:
        raise NotFound(f"{path} cannot be written here ({error.strerror}).") from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    sync_directory(Path(folder))
    return size


def _fill(descriptor: int, pieces: Iterable[bytes], sha256: str, mode: int, path: str) -> int:
    digest, size = hashlib.sha256(), 0
    with os.fdopen(descriptor, "wb") as file:
        for piece in pieces:
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
