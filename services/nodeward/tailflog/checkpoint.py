"""How far every file had been read when its batches were acknowledged: one file, written whole, and the one before it.

The newest that can be read counts. An older one is harmless: what it does not know is read again under the same keys.
"""

import logging
import os
import threading
import zlib
from pathlib import Path

import msgpack

from nodeward.core.files import write_atomic
from nodeward.tailflog.life import Life, unpacked
from nodeward.tailflog.spool import Frame, Position, Spool

log = logging.getLogger(__name__)

VERSION = 1


class Checkpoint:
    """The states as of the last acknowledged frame, by generation. Used by the sender, the keeper and the tail at once."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "checkpoint"
        self._lock = threading.Lock()
        self._states: dict[str, bytes] = {}
        self._forgotten: set[str] = set()
        self.position = Position(0, 0)
        self.dirty = False

    def load(self, spool: Spool) -> list[Life]:
        """Return every life as the last frame knew it, and go on from what was acknowledged."""
        for path in (self._path, self._previous):
            if (read := _read(path)) is not None:
                self.position, self._states = read
                break
        spool.acknowledge(self.position)
        newest = dict(self._states)
        for frame in spool.frames(self.position):
            newest[_generation(frame.state)] = frame.state
        return [unpacked(state) for state in newest.values()]

    def acknowledge(self, frames: list[Frame]) -> None:
        """Take the frames as delivered."""
        with self._lock:
            for frame in frames:
                generation = _generation(frame.state)
                if generation not in self._forgotten:
                    self._states[generation] = frame.state
            self.position = frames[-1].after
            self.dirty = True

    def forget(self, generation: str) -> None:
        """Keep the state of this life no longer: its file is gone."""
        with self._lock:
            self._states.pop(generation, None)
            self._forgotten.add(generation)
            self.dirty = True

    def write(self, spool: Spool) -> None:
        """Put it on disk, then let the spool drop what it covers. Raise OSError if that is impossible."""
        with self._lock:
            position, states = self.position, dict(self._states)
            if not spool.waiting:
                self._forgotten.clear()  # no frame of theirs is left that could bring them back
            self.dirty = False
        body = msgpack.packb([VERSION, list(position), states])
        if self._path.exists() and not self._path.is_symlink():
            os.replace(self._path, self._previous)
        write_atomic(self._path, zlib.crc32(body).to_bytes(4, "little") + body, mode=0o600)
        spool.drop(position)

    @property
    def _previous(self) -> Path:
        return self._path.with_suffix(".previous")


def _read(path: Path) -> tuple[Position, dict[str, bytes]] | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        log.error("The checkpoint %s cannot be read (%s); the one before it is used.", path, error.strerror)
        return None
    with os.fdopen(descriptor, "rb") as file:
        data = file.read()
    try:
        if zlib.crc32(data[4:]) != int.from_bytes(data[:4], "little"):
            raise ValueError("its checksum does not fit")
        version, position, states = msgpack.unpackb(data[4:])
        if version != VERSION:
            raise ValueError(f"it is of version {version}, this program writes {VERSION}")
        for state in states.values():
            unpacked(state)
        return Position(*position), states
    except (ValueError, TypeError, KeyError, msgpack.UnpackException) as error:
        log.error("The checkpoint %s is not usable (%s); the one before it is used.", path, error)
        return None


def _generation(state: bytes) -> str:
    generation = msgpack.unpackb(state)[0]
    if not isinstance(generation, str):
        raise TypeError("a state without a generation")
    return generation
