"""Whose turn it is: everyone gets a fair share of the one thread.

Shares are counted in time, not in bytes: a file whose lines are expensive (a complicated pattern, a hostile line) waits
longer for its next turn, and the others do not notice.
"""

import heapq
import itertools

from nodeward.tailflog.follow.stream import Stream


class Turns:
    """The streams that may have something to read, the one with the smallest share so far first."""

    def __init__(self) -> None:
        self._queue: list[tuple[float, int, Stream]] = []
        self._timed: list[tuple[float, int, Stream]] = []  # those with an open record, by when it counts as complete
        self._number = itertools.count()
        self._floor = 0.0  # the share that the stream served last had taken

    def __bool__(self) -> bool:
        """Whether anybody waits for a turn."""
        return bool(self._queue)

    @property
    def due(self) -> float | None:
        """When the first open record counts as complete (monotonic), None if there is none."""
        return self._timed[0][0] if self._timed else None

    def wake(self, stream: Stream) -> None:
        """Let a stream have a turn; one that was idle has saved nothing up."""
        if not stream.queued:
            stream.queued = True
            stream.spent = max(stream.spent, self._floor)
            heapq.heappush(self._queue, (stream.spent, next(self._number), stream))

    def wake_at_due(self, stream: Stream) -> None:
        """Let a stream have a turn when its open record, if it has one, counts as complete."""
        if stream.due and not stream.timed:
            stream.timed = True
            heapq.heappush(self._timed, (stream.due, next(self._number), stream))

    def wake_due(self, now: float) -> None:
        """Let those have a turn whose open record counts as complete by now."""
        while self._timed and self._timed[0][0] <= now:
            stream = heapq.heappop(self._timed)[2]
            stream.timed = False
            self.wake(stream)

    def next(self) -> Stream:
        """Return the stream whose turn it is."""
        self._floor, _, stream = heapq.heappop(self._queue)
        stream.queued = False
        return stream
