"""The loop that follows: hear of a write, read, parse, put on the spool. One thread; everyone gets a fair share of it.

Shares are counted in time, not in bytes: a file whose lines are expensive (a complicated pattern, a hostile line) waits
longer for its next turn, and the others do not notice.
"""

import heapq
import itertools
import logging
import resource
import time
from dataclasses import dataclass

from nodeward.core import clock
from nodeward.core.errors import NodewardError
from nodeward.core.program import Worker
from nodeward.tailflog.checkpoint import Checkpoint
from nodeward.tailflog.config import Plan
from nodeward.tailflog.follow import QUIET, Files
from nodeward.tailflog.life import Life
from nodeward.tailflog.parse import encoded
from nodeward.tailflog.spool import Spool
from nodeward.tailflog.stream import Chunk, Rewritten, Stream
from nodeward.tailflog.watch import Watcher

log = logging.getLogger(__name__)

SCAN = 10.0  # seconds between two looks at every file, where inotify tells of writes
SCAN_POLLING = 1.0  # the same where it does not
POLL = 0.2  # seconds between two looks at open files that inotify does not cover
SHARE = 100  # a look at every file takes at most a hundredth of the time
ROUND = 0.02  # seconds of work before the loop looks for news
MOST_OPEN = 4096


class SpoolFault(NodewardError):
    """The spool cannot be written."""

    retry = True


@dataclass
class Counts:
    """What has been done since the start."""

    lines: int = 0
    bytes: int = 0
    batches: int = 0


class Tail:
    """Follows the files of a plan. `unit` is one round; `apply` may be called from another thread."""

    def __init__(
        self, spool: Spool, checkpoint: Checkpoint, never: tuple[str, ...] = (), polling: bool = False
    ) -> None:
        self._spool, self._watcher = spool, Watcher(polling)
        self.files = Files(checkpoint.load(spool), self._wake, self._keep, checkpoint.forget, never)
        self.counts = Counts()
        self._plan: Plan | None = None
        self._next: Plan | None = None
        self._queue: list[tuple[float, int, Stream]] = []
        self._timed: list[tuple[float, int, Stream]] = []  # those with an open record, by when it counts as complete
        self._number = itertools.count()
        self._floor = 0.0  # the share that the stream served last had taken
        self._open: dict[Stream, None] = {}  # those with a descriptor, the one longest idle first
        self._most_open = _descriptors()
        self._scan_at = self._poll_at = self._round_at = 0.0
        self._scan_took = 0.0
        self._paused = ""
        self._final = False  # whether files are to be read as if nothing came after
        self._idle = False  # whether the last round, a final one, found nothing
        self._worker = Worker("tail", self.unit, idle=0.5)

    def start(self) -> None:
        """Begin to follow (see `program.Part`)."""
        self._worker.start()

    def stop(self) -> None:
        """End the round at work, close every file."""
        self.wake()
        self._worker.stop()
        self.files.end()
        self._watcher.close()

    @property
    def alive(self) -> bool:
        """Whether the loop runs."""
        return self._worker.alive

    @property
    def paused(self) -> str:
        """Why nothing is read at present, "" if it is."""
        return self._paused

    @property
    def behind(self) -> bool:
        """Whether there are files with something to read."""
        return bool(self._queue)

    def apply(self, plan: Plan) -> None:
        """Follow what `plan` says, from the next round on."""
        self._next = plan
        self._watcher.wake()

    def wake(self) -> None:
        """End the wait of a round."""
        self._watcher.wake()

    def wake_if_paused(self) -> None:
        """Let a round that waits for room in the spool look again."""
        if self._paused:
            self._watcher.wake()

    def unit(self) -> bool:
        """Do one round. Return True: it waits by itself."""
        written, changed = self._watcher.wait(self._patience())
        if self._next is not None:
            self._plan, self._next = self._next, None
            self.files.plan(self._plan.sources, self._plan.node)
            self._scan(time.monotonic())
            log.info("Revision %d is in force. Files followed: %d.", self._plan.revision, len(self.files.streams))
        for path in written:
            for stream in self.files.by_path.get(path, ()):
                self._wake(stream)
        now = time.monotonic()
        self._wake_due(now)
        if changed:
            self._scan_at = min(self._scan_at, self._round_at + 10 * self._scan_took)
        if now >= self._scan_at and self._plan is not None:
            self._scan(now)
        if now >= self._poll_at:
            self._poll(now)
        self._work()
        if self._final and not self._queue and self._plan is not None:
            self._idle = self._finished()
        return True

    def _finished(self) -> bool:
        """Ship last lines that have no newline. Return whether every file is at its end."""
        waiting = [stream for stream in self.files.streams.values() if not stream.judged and stream.seen[0] > 0]
        for stream in list(self._open):
            self.finish(stream)
        return not waiting and not self._queue

    def finished(self) -> bool:
        """Say whether every file is read to its end; from the first call on, a last line without a newline counts as one."""
        self._final = True
        return self._idle and not self._queue

    def finish(self, stream: Stream) -> None:
        """Ship what is left of a file to which nothing will be added: its last line, if that has no newline."""
        if stream.is_open and (chunk := stream.take(final=True)) is not None:
            self._ship(stream, chunk)

    def _patience(self) -> float:
        """Return how long a round may wait for news (s)."""
        if self._paused:
            return 0.1
        if self._queue:
            return 0.0
        due = self._timed[0][0] if self._timed else self._scan_at
        return max(0.0, min(self._scan_at, self._poll_at, due) - time.monotonic())

    def _scan(self, now: float) -> None:
        self._watcher.watch(self.files.scan())
        self._round_at = time.monotonic()
        self._scan_took = self._round_at - now
        self._scan_at = self._round_at + max(SCAN if self._watcher.complete else SCAN_POLLING, SHARE * self._scan_took)

    def _poll(self, now: float) -> None:
        """Look at the open files that inotify does not cover, and close those that were rotated away and are quiet."""
        for stream in list(self._open):
            if not stream.is_open:
                del self._open[stream]
                continue
            if stream.listed and stream.judged and self._watcher.complete:
                continue
            try:
                if not stream.judged or stream.grown():
                    self._wake(stream)
                elif not stream.listed and now - stream.active > QUIET:
                    self.finish(stream)
                    self._close(stream)
            except OSError as error:
                self._in_trouble(stream, error)
        self._poll_at = time.monotonic() + max(POLL, 20 * (time.monotonic() - now))

    def _wake(self, stream: Stream) -> None:
        if not stream.queued:
            stream.queued = True
            stream.spent = max(stream.spent, self._floor)
            heapq.heappush(self._queue, (stream.spent, next(self._number), stream))

    def _wake_at(self, stream: Stream) -> None:
        if stream.due and not stream.timed:
            stream.timed = True
            heapq.heappush(self._timed, (stream.due, next(self._number), stream))

    def _wake_due(self, now: float) -> None:
        while self._timed and self._timed[0][0] <= now:
            stream = heapq.heappop(self._timed)[2]
            stream.timed = False
            self._wake(stream)

    def _work(self) -> None:
        """Give turns until there is nothing to do, or it is time to look for news."""
        until = time.monotonic() + ROUND
        if self._stuck():
            return
        while self._queue:
            self._floor, _, stream = heapq.heappop(self._queue)
            stream.queued = False
            began = time.perf_counter()
            try:
                again = self._turn(stream)
            except SpoolFault as fault:
                self._pause(str(fault))
                self._wake(stream)
                return
            stream.spent += time.perf_counter() - began
            if again:
                self._wake(stream)
            if time.monotonic() > until or self._spool.full:
                return

    def _stuck(self) -> bool:
        if self._spool.full:
            self._pause(f"the spool holds {self._spool.waiting} bytes that the log server has not taken yet")
            return True
        if self._paused:
            log.info("Reading goes on.")
            self._paused = ""
        return False

    def _pause(self, why: str) -> None:
        if not self._paused:
            log.warning("Reading pauses, nothing is lost: %s.", why)
        self._paused = why

    def _turn(self, stream: Stream) -> bool:
        """Read, parse and spool one chunk of a file. Return whether there may be more."""
        if self.files.streams.get(stream.key) is not stream:
            return False  # dropped while it waited
        try:
            if not stream.is_open and not self._opened(stream):
                return False
            if not self.files.decided(stream):
                return False
            chunk = stream.take()
            if chunk is None:
                self._wake_at(stream)
                return stream.grown()
        except Rewritten:
            rest = stream.rest()
            if rest is not None and not self.files.lies_in_a_copy(stream, rest):
                self._ship(stream, rest)
            self.files.rewritten(stream)
            return False
        except OSError as error:
            self._in_trouble(stream, error)
            return False
        self._ship(stream, chunk)
        return True

    def _opened(self, stream: Stream) -> bool:
        """Open a file, closing the one longest idle where there are too many. Return False if it is a compressed one."""
        while len(self._open) >= self._most_open:
            idle = next(iter(self._open))
            self._close(next((one for one in self._open if not one.due), idle))
        self._open[stream] = None
        stream.open()
        if stream.trouble:
            log.info("%s can be read again.", stream.path)
            stream.trouble = ""
        if self.files.refuse(stream):
            self._open.pop(stream, None)
            return False
        return True

    def _close(self, stream: Stream) -> None:
        self._ship_rest(stream)
        self._open.pop(stream, None)
        self.files.close(stream)

    def _ship(self, stream: Stream, chunk: Chunk) -> None:
        changed = int(stream.changed * 1_000_000)
        batch = stream.parser.batch(chunk.lines, stream.life.generation, stream.path, min(clock.now(), changed))
        try:
            self._spool.append(chunk.after.packed(), encoded(batch), stream.fresh or not chunk.settled)
        except OSError as error:
            raise SpoolFault(f"the spool cannot be written ({error.strerror}); free space, or check the disk") from None
        stream.accept(chunk)
        stream.active = time.monotonic()
        if stream in self._open:
            self._open.pop(stream)
            self._open[stream] = None
        self.counts.lines += batch.count
        self.counts.bytes += chunk.size
        self.counts.batches += 1

    def _ship_rest(self, stream: Stream) -> None:
        """Ship a record that may still go on: it is read, and nobody knows whether it can be read again."""
        if (rest := stream.rest()) is not None:
            self._ship(stream, rest)

    def _keep(self, life: Life) -> None:
        try:
            self._spool.append(life.packed(), b"", fresh=True)
        except OSError as error:
            raise SpoolFault(f"the spool cannot be written ({error.strerror}); free space, or check the disk") from None

    def _in_trouble(self, stream: Stream, error: OSError) -> None:
        """Say once why a file cannot be read; the next look at every file tries it again."""
        self._ship_rest(stream)
        self._open.pop(stream, None)
        stream.close()
        why = error.strerror or str(error)
        if stream.trouble != why and not isinstance(error, FileNotFoundError):
            log.warning(
                "%s cannot be read: %s. It is tried again, and nothing of it is lost meanwhile.", stream.path, why
            )
            stream.trouble = why


def _descriptors() -> int:
    """Return how many files may be open at once, after asking the system for as many as it gives."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_OPEN + 256 if hard == resource.RLIM_INFINITY else min(hard, MOST_OPEN + 256)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return max(16, min(MOST_OPEN, soft - 256))
