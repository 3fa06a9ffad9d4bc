"""The streams that are followed, by inode and by name."""

import time
from collections import defaultdict
from collections.abc import Collection, Container, Iterator

from nodeward.tailflog.follow.stream import Stream
from nodeward.tailflog.life import Key


class Streams:
    """Every file that is followed, once."""

    def __init__(self) -> None:
        self._by_key: dict[Key, Stream] = {}
        self._by_path: dict[str, list[Stream]] = defaultdict(list)
        self._by_stem: dict[tuple[str, str], set[Stream]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Stream]:
        """Go through those that are followed now, whatever becomes of them meanwhile."""
        return iter(list(self._by_key.values()))

    def get(self, key: Key) -> Stream | None:
        """Return the stream of a source's inode, if it is followed."""
        return self._by_key.get(key)

    def besides(self, keys: Container[Key]) -> list[Stream]:
        """Return those that are none of these."""
        return [stream for key, stream in self._by_key.items() if key not in keys]

    def at(self, path: str) -> Collection[Stream]:
        """Return those whose path this is: one of each source that names it."""
        return self._by_path.get(path, ())

    def alike(self, stream: Stream) -> Collection[Stream]:
        """Return those of the same source whose names begin like this one's; it is among them."""
        return self._by_stem.get(stream.stem, ())

    def add(self, stream: Stream) -> None:
        """Follow a stream from now on."""
        stream.active = time.monotonic()
        self._by_key[stream.key] = stream
        self._name(stream)

    def drop(self, stream: Stream) -> None:
        """Close a stream and follow it no more."""
        stream.close()
        self._by_key.pop(stream.key, None)
        self._unname(stream)

    def move(self, stream: Stream, path: str) -> None:
        """Note that a stream's file lies at another path."""
        self._unname(stream)
        stream.path = path
        self._name(stream)

    def _name(self, stream: Stream) -> None:
        self._by_path[stream.path].append(stream)
        self._by_stem[stream.stem].add(stream)

    def _unname(self, stream: Stream) -> None:
        named, alike = self._by_path[stream.path], self._by_stem[stream.stem]
        if stream in named:
            named.remove(stream)
        alike.discard(stream)
        if not named:
            del self._by_path[stream.path]
        if not alike:
            del self._by_stem[stream.stem]
