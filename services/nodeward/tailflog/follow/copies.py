"""Which files are only copies.

A copy that copytruncate left behind is the rest of the life that the truncation ended: it takes over that life's generation
and offset, so nothing of it is shipped twice and what the writer managed to write before the truncation is not lost. While
nobody can tell yet whether a new file is a copy of one that is followed, it waits; after `PATIENCE` it is a file of its own,
unless the other one turns out to have been written anew.
"""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from nodeward.tailflog.follow import discover
from nodeward.tailflog.follow.stream import Chunk, Stream, stem
from nodeward.tailflog.follow.streams import Streams
from nodeward.tailflog.life import Life, behind, reading

log = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds that a file which looks like a copy waits for the truncation
REMEMBER = 60.0  # seconds that a truncated life waits for its copy to show up
COPYING = 1.0  # seconds after its last change that a copy may still be growing


@dataclass(frozen=True, slots=True)
class Ended:
    """A life that a truncation ended, waiting for its copy until a moment (monotonic)."""

    life: Life
    until: float


class Copies:
    """The lives that truncations ended, and the files that may be theirs. `keep` a life, `forget` a generation: on disk."""

    def __init__(
        self,
        streams: Streams,
        wake: Callable[[Stream], None],
        keep: Callable[[Life], None],
        forget: Callable[[str], None],
    ) -> None:
        self._streams, self._wake, self._keep, self._forget = streams, wake, keep, forget
        self._ended: list[Ended] = []

    @property
    def ended(self) -> list[Life]:
        """The lives that wait for their copies."""
        return [one.life for one in self._ended]

    def end(self, life: Life) -> None:
        """Note that a truncation ended a life: a copy may have the rest of it."""
        self._ended.append(Ended(life, time.monotonic() + REMEMBER))

    def expire(self) -> None:
        """Forget the lives whose copies nobody has seen for too long."""
        for late in [one for one in self._ended if one.until < time.monotonic()]:
            self._ended.remove(late)
            self._forget(late.life.generation)

    def decided(self, stream: Stream) -> bool:
        """Say whether it is clear which life a file that has not been read yet is. If it is a copy's, it takes that life over."""
        if stream.judged:
            return True
        size = stream.status().st_size
        if not size:
            return False
        if (ended := self._truncated(stream, size)) is not None:
            return self._take_over(stream, size, ended)
        originals = self._originals(stream, size)
        if time.monotonic() - stream.active >= PATIENCE:
            originals = [other for other in originals if other.rewritten()]  # nobody may have looked for that long
            for other in originals:
                self._wake(other)
        stream.judged = not originals
        return stream.judged

    def lies_in_one(self, stream: Stream, rest: Chunk) -> bool:
        """Say whether what was read of a truncated file and not shipped yet lies in a copy of it, whence it will be read."""
        if not stream.life.offset:
            return False  # nothing would tell the copy
        directory = os.path.dirname(stream.path)
        names = discover.rotations(stream.path, discover.inodes(directory).values())
        return any(_holds(f"{directory}/{name}", stream.life, rest) for name in names)

    def _originals(self, stream: Stream, size: int) -> list[Stream]:
        """Return those that are followed of which the file may be a copy: it looks like one, or nothing can be told yet."""
        return [
            other
            for other in self._streams.alike(stream)
            if other is not stream and (other.life.copied(stream.read, size) if other.life.offset else other.due)
        ]

    def _truncated(self, stream: Stream, size: int) -> Ended | None:
        """Return the truncated life that the file is a copy of, if there is one."""
        for ended in self._ended:
            if (ended.life.source, stem(ended.life.path)) == stream.stem and ended.life.copied(stream.read, size):
                return ended
        return None

    def _take_over(self, stream: Stream, size: int, ended: Ended) -> bool:
        """Let the copy of a truncated file go on with its life. Return False if it is still being copied."""
        life = ended.life
        if size < life.offset and time.time() - stream.status().st_mtime < COPYING:
            return False
        self._ended.remove(ended)
        if size >= life.offset:
            self._forget(stream.life.generation)
            taken = replace(life, path=stream.path, device=stream.life.device, inode=stream.life.inode)
        else:  # all of the copy, and more, was read before the truncation
            taken = behind(replace(stream.life, begun=True), stream.read, size)
            self._forget(life.generation)
        stream.begin(taken)
        stream.judged = True
        self._keep(taken)
        log.info("%s is the copy of a truncated file; going on in it at byte %d.", stream.path, taken.offset)
        return True


def _holds(path: str, life: Life, rest: Chunk) -> bool:
    """Say whether the file at `path` is a copy of a life's, as far as that was shipped and on through the rest."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return False
    try:
        size, read = os.fstat(descriptor).st_size, reading(descriptor)
        return size >= rest.after.offset and life.copied(read, size) and rest.after.continues(read, size)
    except OSError:
        return False
    finally:
        os.close(descriptor)
