"""Which files are open: at most as many as the system gives descriptors for, and of those the ones that were busy last."""

import resource
from collections.abc import Iterator

from nodeward.tailflog.follow.stream import Stream

MOST = 4096
_OTHERS = 256  # for everything else that the program opens


class Descriptors:
    """The streams that have a descriptor, the one longest idle first."""

    def __init__(self) -> None:
        self._open: dict[Stream, None] = {}
        self._most = _available()

    def __iter__(self) -> Iterator[Stream]:
        """Go through those that are open now, whatever becomes of them meanwhile."""
        return iter(list(self._open))

    @property
    def used_up(self) -> bool:
        """Whether one has to be closed before another is opened."""
        return len(self._open) >= self._most

    def idlest(self) -> Stream:
        """Return the one to close: that longest idle, if possible one without an open record."""
        return next((one for one in self._open if not one.due), next(iter(self._open)))

    def add(self, stream: Stream) -> None:
        """Take a stream as the one that was busy last."""
        self._open[stream] = None

    def discard(self, stream: Stream) -> None:
        """Forget a stream, if it is here."""
        self._open.pop(stream, None)

    def touch(self, stream: Stream) -> None:
        """Note that a stream is busy, if it is here."""
        if stream in self._open:
            self._open.pop(stream)
            self._open[stream] = None


def _available() -> int:
    """Return how many files may be open at once, after asking the system for as many as it gives."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST + _OTHERS if hard == resource.RLIM_INFINITY else min(hard, MOST + _OTHERS)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return max(16, min(MOST, soft - _OTHERS))
