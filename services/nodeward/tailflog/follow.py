"""The files that are followed: which life each is, where a rotated one went, what is only a copy.

A copy that copytruncate left behind is the rest of the life that the truncation ended: it takes over that life's generation
and offset, so nothing of it is shipped twice and what the writer managed to write before the truncation is not lost. While
nobody can tell yet whether a new file is a copy of one that is followed (`Undecided`), it waits; after `PATIENCE` it is a
file of its own.
"""

import logging
import os
import stat
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from nodeward.core import clock
from nodeward.tailflog import discover
from nodeward.tailflog.config import Source
from nodeward.tailflog.life import Life, begin, behind
from nodeward.tailflog.parse import Parser
from nodeward.tailflog.stream import Chunk, Stream, stem

log = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds that a file which looks like a copy waits for the truncation
REMEMBER = 60.0  # seconds that a truncated life waits for its copy to show up
QUIET = 60.0  # seconds without a late line after which a file that was rotated away is closed
RETAIN = 86_400.0  # seconds that a life is kept although no file of it can be found (a mount that is away)

Key = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Ended:
    """A life that a truncation ended, waiting for its copy until a moment (monotonic)."""

    life: Life
    until: float


class Files:
    """Every file that is followed. `wake` is called with a stream that may have something to read."""

    def __init__(
        self,
        lives: Iterable[Life],
        wake: Callable[[Stream], None],
        keep: Callable[[Life], None],
        forget: Callable[[str], None],
        never: tuple[str, ...] = (),
    ) -> None:
        self.streams: dict[Key, Stream] = {}
        self.by_path: dict[str, list[Stream]] = defaultdict(list)
        self._by_stem: dict[tuple[str, str], set[Stream]] = defaultdict(set)
        self._parsers: dict[str, Parser] = {}
        self._ended: list[Ended] = []
        self._refused: dict[Key, int] = {}  # compressed files, by the size they were refused at
        self._lives, outdated = _newest(lives)
        self._wake, self._keep, self._forget, self._never = wake, keep, forget, never
        self._outdated = outdated

    @property
    def ended(self) -> list[Life]:
        """The lives that wait for their copies."""
        return [one.life for one in self._ended]

    def plan(self, sources: list[Source], node: str) -> None:
        """Follow these sources from now on. A source that stays keeps its offsets, even where its format changed."""
        known = {name: parser.source for name, parser in self._parsers.items()}
        for source in sources:
            if known.get(source.source) != source:
                self._parsers[source.source] = Parser(source, node, clock.now())
        gone = known.keys() - {source.source for source in sources}
        for name in gone:
            del self._parsers[name]
        for stream in list(self.streams.values()):
            if stream.life.source in gone:
                self._lives[stream.key] = stream.life
                self._drop(stream)
            else:
                stream.parser = self._parsers[stream.life.source]

    @property
    def parsers(self) -> list[Parser]:
        """The parser of each source."""
        return list(self._parsers.values())

    def scan(self) -> set[str]:
        """Look at every file that there is. Return the directories to watch."""
        present: dict[Key, tuple[str, os.stat_result]] = {}
        directories: set[str] = set()
        for parser in self._parsers.values():
            present.update(discover.found(parser.source, self._never))
            directories |= discover.roots(parser.source)
        for key, (path, status) in present.items():
            self._present(key, path, status)
        self._look_for([stream for key, stream in self.streams.items() if key not in present])
        self._look_for_lives(present)
        while self._outdated:
            self._end(self._outdated.pop())
        self._look_for_rotations()
        self._expire()
        for stream in self.streams.values():
            if not stream.vanished:
                directories |= discover.directories_of(stream.path)
        return directories

    def rewritten(self, stream: Stream) -> None:
        """Begin a new life of an open stream whose file was truncated or written anew; a copy may have the old one's end."""
        old = stream.life
        stream.begin(begin(old.source, stream.path, old.device, old.inode, clock.now()))
        if old.offset:  # a file that was never read may still be somebody's copy
            stream.judged = True
            self._end(old)
            self._look_for_rotations()
        self._wake(stream)

    def lies_in_a_copy(self, stream: Stream, rest: Chunk) -> bool:
        """Say whether what was read of a truncated file and not shipped yet lies in a copy of it, whence it will be read."""
        if not stream.life.offset:
            return False  # nothing would tell the copy
        directory = os.path.dirname(stream.path)
        names = discover.rotations(stream.path, discover.inodes(directory).values())
        return any(_holds(f"{directory}/{name}", stream.life, rest) for name in names)

    def decided(self, stream: Stream) -> bool:
        """Say whether it is clear which life a file that has not been read yet is. If it is a copy's, it takes that life over."""
        if stream.judged:
            return True
        size = stream.status().st_size
        if not size:
            return False
        if (ended := self._original(stream, size)) is not None:
            return self._take_over(stream, size, ended)
        alike = [
            other
            for other in self._by_stem[stream.stem]
            if other is not stream and (other.life.copied(stream.read, size) if other.life.offset else other.due)
        ]
        if time.monotonic() - stream.active >= PATIENCE:
            alike = [other for other in alike if other.rewritten()]  # nobody may have looked for that long
            for other in alike:
                self._wake(other)
        stream.judged = not alike
        return stream.judged

    def close(self, stream: Stream) -> None:
        """Close a stream whose file was rotated away or deleted; forget it if nothing leads to it any more."""
        stream.close()
        if not stream.vanished:
            return
        self._drop(stream)
        if discover.inodes(os.path.dirname(stream.path)):
            self._forget(stream.life.generation)
        else:  # a mount that is away, or a directory that may not be read: it may come back
            self._lives[stream.key] = stream.life

    def end(self) -> None:
        """Close everything."""
        for stream in self.streams.values():
            stream.close()

    def _present(self, key: Key, path: str, status: os.stat_result) -> None:
        stream = self.streams.get(key)
        if stream is None:
            self._arrived(key, path, status)
            return
        if not stream.listed or not _leads_to(stream.path, key):
            stream.listed = True
            self._move(stream, path)
        stream.vanished = 0.0
        self._notice(stream, status)

    def _notice(self, stream: Stream, status: os.stat_result) -> None:
        seen = (status.st_size, status.st_mtime_ns)
        if seen != stream.seen or stream.trouble or not stream.judged:
            stream.seen = seen
            self._wake(stream)

    def _arrived(self, key: Key, path: str, status: os.stat_result) -> None:
        if self._refused.get(key) == status.st_size:
            return
        life = self._lives.pop(key, None)
        if life is None:
            life = begin(key[0], path, key[1], key[2], clock.now())
            self._keep(life)  # seen is seen: it may be killed, and the file renamed, before the first line is read
        stream = Stream(life, self._parsers[key[0]], path)
        self._add(stream)
        self._notice(stream, status)

    def refuse(self, stream: Stream) -> bool:
        """Leave a file alone that turns out to be compressed; return whether it is."""
        if stream.life.offset or not discover.is_compressed(stream.read(8, 0)):
            return False
        self._refused[stream.key] = stream.status().st_size
        self._forget(stream.life.generation)
        stream.close()
        self._drop(stream)
        return True

    def _add(self, stream: Stream) -> None:
        stream.active = time.monotonic()
        self.streams[stream.key] = stream
        self.by_path[stream.path].append(stream)
        self._by_stem[stream.stem].add(stream)

    def _drop(self, stream: Stream) -> None:
        stream.close()
        self.streams.pop(stream.key, None)
        self._unname(stream)

    def _unname(self, stream: Stream) -> None:
        named, alike = self.by_path[stream.path], self._by_stem[stream.stem]
        if stream in named:
            named.remove(stream)
        alike.discard(stream)
        if not named:
            del self.by_path[stream.path]
        if not alike:
            del self._by_stem[stream.stem]

    def _move(self, stream: Stream, path: str) -> None:
        self._unname(stream)
        stream.path = path
        if stream.listed:
            stream.life = replace(stream.life, path=path)
        self.by_path[path].append(stream)
        self._by_stem[stream.stem].add(stream)

    def _look_for(self, streams: list[Stream]) -> None:
        """Find where files went that no path of their source leads to any more."""
        listings: dict[str, dict[int, str]] = {}
        for stream in streams:
            if not _leads_to(stream.path, stream.key):
                stream.listed = False
                directory = os.path.dirname(stream.path)
                if directory not in listings:
                    listings[directory] = discover.inodes(directory)
                name = listings[directory].get(stream.life.inode)
                if name is None or not _leads_to(f"{directory}/{name}", stream.key):
                    stream.vanished = stream.vanished or time.monotonic()
                    if not stream.is_open:
                        self.close(stream)
                    continue
                self._move(stream, f"{directory}/{name}")
            elif stream.listed:  # it is where it was, but its source does not name it any more
                self._lives[stream.key] = stream.life
                self._drop(stream)
                continue
            stream.vanished = 0.0
            try:
                self._notice(stream, os.stat(stream.path))
            except OSError:
                continue  # gone this very moment: the next scan sees it

    def _look_for_lives(self, present: dict[Key, tuple[str, os.stat_result]]) -> None:
        """Find the files of lives that were followed before this program started, or before their source went and came back."""
        listings: dict[str, dict[int, str]] = {}
        for key, life in list(self._lives.items()):
            if key in present or key[0] not in self._parsers or _leads_to(life.path, key):
                continue
            directory = os.path.dirname(life.path)
            if directory not in listings:
                listings[directory] = discover.inodes(directory)
            path = f"{directory}/{listings[directory].get(life.inode, '')}"
            if (status := _status(path, key)) is not None and not path.endswith(discover.COMPRESSED):
                self._rotation(key, path, life.path, status)
            elif clock.now() - life.born > RETAIN * 1_000_000 and listings[directory]:
                del self._lives[key]
                self._forget(life.generation)

    def _end(self, life: Life) -> None:
        self._ended.append(Ended(life, time.monotonic() + REMEMBER))

    def _expire(self) -> None:
        for late in [one for one in self._ended if one.until < time.monotonic()]:
            self._ended.remove(late)
            self._forget(late.life.generation)

    def _original(self, stream: Stream, size: int) -> Ended | None:
        """Return the truncated life that the file is a copy of, if there is one."""
        for ended in self._ended:
            if (ended.life.source, stem(ended.life.path)) == stream.stem and ended.life.copied(stream.read, size):
                return ended
        return None

    def _take_over(self, stream: Stream, size: int, ended: Ended) -> bool:
        """Let the copy of a truncated file go on with its life. Return False if it is still being copied."""
        life = ended.life
        if size < life.offset and time.time() - stream.status().st_mtime < 1.0:
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

    def _look_for_rotations(self) -> None:
        """Find the files that were rotated away, or copied and truncated, before anyone saw them under their first name.

        They lie beside the file that was there before them, under a name that rotation gives, and are younger than it.
        """
        listings: dict[str, list[str]] = {}
        for (source, path), since in self._rotated().items():
            directory = os.path.dirname(path)
            if directory not in listings:
                listings[directory] = list(discover.inodes(directory).values())
            for name in discover.rotations(path, listings[directory]):
                beside = f"{directory}/{name}"
                try:
                    status = os.stat(beside)
                except OSError:
                    continue  # gone again
                key = (source, status.st_dev, status.st_ino)
                if key not in self.streams and key not in self._lives and status.st_mtime_ns >= since:
                    self._rotation(key, beside, path, status)

    def _rotated(self) -> dict[tuple[str, str], int]:
        """Return the paths at which a rotation is known to have happened, by source, and since when (ns)."""
        since: dict[tuple[str, str], int] = {}
        for stream in self.streams.values():
            if not stream.listed:
                key = (stream.life.source, stream.life.path)
                since[key] = min(stream.seen[1], since.get(key, stream.seen[1]))
        lost = [life for life in self._lives.values() if life.source in self._parsers]
        for life in (*self.ended, *lost):
            key = (life.source, life.path)
            since[key] = min(life.born * 1000, since.get(key, life.born * 1000))
        return since

    def _rotation(self, key: Key, beside: str, path: str, status: os.stat_result) -> None:
        parser = self._parsers[key[0]]
        if stat.S_ISREG(status.st_mode) and not discover.is_excluded(beside, parser.source):
            self._arrived(key, beside, status)
            if (stream := self.streams.get(key)) is not None:
                stream.listed = False
                stream.life = replace(stream.life, path=path)


def _newest(lives: Iterable[Life]) -> tuple[dict[Key, Life], list[Life]]:
    """Return the newest life of each inode, and those that a truncation ended before."""
    newest: dict[Key, Life] = {}
    outdated = []
    for life in sorted(lives, key=lambda life: life.born):
        key = (life.source, life.device, life.inode)
        if key in newest:
            outdated.append(newest[key])
        newest[key] = life
    return newest, outdated


def _leads_to(path: str, key: Key) -> bool:
    return _status(path, key) is not None


def _status(path: str, key: Key) -> os.stat_result | None:
    """Return the status of the file at `path`, None if that is another one, or none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status if (status.st_dev, status.st_ino) == key[1:] else None


def _holds(path: str, life: Life, rest: Chunk) -> bool:
    """Say whether the file at `path` is a copy of a life's, as far as that was shipped and on through the rest."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return False
    try:
        size = os.fstat(descriptor).st_size

        def read(length: int, place: int) -> bytes:
            return os.pread(descriptor, length, place)

        return size >= rest.after.offset and life.copied(read, size) and rest.after.continues(read, size)
    except OSError:
        return False
    finally:
        os.close(descriptor)
