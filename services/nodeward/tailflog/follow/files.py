"""The files that are followed: which life each is, and where a rotated one went."""

import os
import stat
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from nodeward.core import clock
from nodeward.tailflog.config import Source
from nodeward.tailflog.follow import discover
from nodeward.tailflog.follow.copies import Copies
from nodeward.tailflog.follow.stream import Stream
from nodeward.tailflog.follow.streams import Streams
from nodeward.tailflog.life import Key, Life, begin, newest
from nodeward.tailflog.parse import Parser

RETAIN = 86_400.0  # seconds that a life is kept although no file of it can be found (a mount that is away)


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
        self.streams = Streams()
        self.copies = Copies(self.streams, wake, keep, forget)
        self._parsers: dict[str, Parser] = {}
        self._refused: dict[Key, int] = {}  # compressed files, by the size they were refused at
        self._lives, self._outdated = newest(lives)  # those that no stream follows (yet)
        self._wake, self._keep, self._forget, self._never = wake, keep, forget, never

    def plan(self, sources: list[Source], node: str) -> None:
        """Follow these sources from now on. A source that stays keeps its offsets, even where its format changed."""
        known = {name: parser.source for name, parser in self._parsers.items()}
        for source in sources:
            if known.get(source.source) != source:
                self._parsers[source.source] = Parser(source, node, clock.now())
        gone = known.keys() - {source.source for source in sources}
        for name in gone:
            del self._parsers[name]
        for stream in self.streams:
            if stream.life.source in gone:
                self._leave(stream)
            else:
                stream.parser = self._parsers[stream.life.source]

    @property
    def unparsed(self) -> int:
        """How many lines did not parse."""
        return sum(parser.errors for parser in self._parsers.values())

    def scan(self) -> set[str]:
        """Look at every file that there is. Return the directories to watch."""
        present: discover.Found = {}
        directories: set[str] = set()
        for parser in self._parsers.values():
            present.update(discover.found(parser.source, self._never))
            directories |= discover.roots(parser.source)
        for key, (path, status) in present.items():
            self._present(key, path, status)
        self._look_for(self.streams.besides(present))
        self._look_for_lives(present)
        while self._outdated:
            self.copies.end(self._outdated.pop())
        self._look_for_rotations()
        self.copies.expire()
        for stream in self.streams:
            if not stream.vanished:
                directories |= discover.directories_of(stream.path)
        return directories

    def rewritten(self, stream: Stream) -> None:
        """Begin a new life of an open stream whose file was truncated or written anew; a copy may have the old one's end."""
        old = stream.life
        stream.begin(begin(old.source, stream.path, old.device, old.inode, clock.now()))
        if old.offset:  # a file that was never read may still be somebody's copy
            stream.judged = True
            self.copies.end(old)
            self._look_for_rotations()
        self._wake(stream)

    def refuse(self, stream: Stream) -> bool:
        """Leave a file alone that turns out to be compressed; return whether it is."""
        if stream.life.offset or not discover.is_compressed(stream.read(8, 0)):
            return False
        self._refused[stream.key] = stream.status().st_size
        self._forget(stream.life.generation)
        self.streams.drop(stream)
        return True

    def close(self, stream: Stream) -> None:
        """Close a stream whose file was rotated away or deleted; forget it if nothing leads to it any more."""
        stream.close()
        if not stream.vanished:
            return
        if discover.inodes(os.path.dirname(stream.path)):
            self.streams.drop(stream)
            self._forget(stream.life.generation)
        else:  # a mount that is away, or a directory that may not be read: it may come back
            self._leave(stream)

    def end(self) -> None:
        """Close everything."""
        for stream in self.streams:
            stream.close()

    def _leave(self, stream: Stream) -> None:
        """Follow a stream no longer, but keep its life for when it comes back."""
        self._lives[stream.key] = stream.life
        self.streams.drop(stream)

    def _present(self, key: Key, path: str, status: os.stat_result) -> None:
        stream = self.streams.get(key)
        if stream is None:
            self._arrived(key, path, status)
            return
        if not stream.listed or not discover.leads_to(stream.path, key):
            self.streams.move(stream, path)
            stream.listed, stream.life = True, replace(stream.life, path=path)
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
        self.streams.add(stream)
        self._notice(stream, status)

    def _look_for(self, streams: list[Stream]) -> None:
        """Find where files went that no path of their source leads to any more."""
        listings = discover.Listings()
        for stream in streams:
            if not discover.leads_to(stream.path, stream.key):
                stream.listed = False
                found = listings.where(stream.key, os.path.dirname(stream.path))
                if found is None:
                    stream.vanished = stream.vanished or time.monotonic()
                    if not stream.is_open:
                        self.close(stream)
                    continue
                self.streams.move(stream, found[0])
            elif stream.listed:  # it is where it was, but its source does not name it any more
                self._leave(stream)
                continue
            stream.vanished = 0.0
            try:
                self._notice(stream, os.stat(stream.path))
            except OSError:
                continue  # gone this very moment: the next scan sees it

    def _look_for_lives(self, present: discover.Found) -> None:
        """Find the files of lives that were followed before this program started, or before their source went and came back."""
        listings = discover.Listings()
        for key, life in list(self._lives.items()):
            if key in present or key[0] not in self._parsers or discover.leads_to(life.path, key):
                continue
            directory = os.path.dirname(life.path)
            found = listings.where(key, directory)
            if found is not None and not found[0].endswith(discover.COMPRESSED):
                self._rotation(key, found[0], life.path, found[1])
            elif clock.now() - life.born > RETAIN * 1_000_000 and listings.of(directory):
                del self._lives[key]
                self._forget(life.generation)

    def _look_for_rotations(self) -> None:
        """Find the files that were rotated away, or copied and truncated, before anyone saw them under their first name.

        They lie beside the file that was there before them, under a name that rotation gives, and are younger than it.
        """
        listings = discover.Listings()
        lost = (life for life in self._lives.values() if life.source in self._parsers)
        for (source, path), since in rotated(self.streams, (*self.copies.ended, *lost)).items():
            directory = os.path.dirname(path)
            for name in discover.rotations(path, listings.of(directory).values()):
                beside = f"{directory}/{name}"
                try:
                    status = os.stat(beside)
                except OSError:
                    continue  # gone again
                key = (source, status.st_dev, status.st_ino)
                if self.streams.get(key) is None and key not in self._lives and status.st_mtime_ns >= since:
                    self._rotation(key, beside, path, status)

    def _rotation(self, key: Key, beside: str, path: str, status: os.stat_result) -> None:
        parser = self._parsers[key[0]]
        if stat.S_ISREG(status.st_mode) and not discover.is_excluded(beside, parser.source):
            self._arrived(key, beside, status)
            if (stream := self.streams.get(key)) is not None:
                stream.listed = False
                stream.life = replace(stream.life, path=path)


def rotated(streams: Iterable[Stream], lost: Iterable[Life]) -> dict[tuple[str, str], int]:
    """Given what is followed, and the lives whose files are not, return where rotations happened.

    That is a source and a path, and since when (ns).
    """
    since: dict[tuple[str, str], int] = {}
    for stream in streams:
        if not stream.listed:
            key = (stream.life.source, stream.life.path)
            since[key] = min(stream.seen[1], since.get(key, stream.seen[1]))
    for life in lost:
        key = (life.source, life.path)
        since[key] = min(life.born * 1000, since.get(key, life.born * 1000))
    return since
