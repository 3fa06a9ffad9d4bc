"""The loop that follows: hear of a write, read, parse, put on the spool. One thread."""

import logging
import time

from nodeward.core.program import Worker
from nodeward.tailflog.checkpoint import Checkpoint
from nodeward.tailflog.config import Plan
from nodeward.tailflog.follow.descriptors import Descriptors
from nodeward.tailflog.follow.files import Files
from nodeward.tailflog.follow.spooling import Counts, SpoolFault, Spooling
from nodeward.tailflog.follow.stream import Chunk, Rewritten, Stream
from nodeward.tailflog.follow.turns import Turns
from nodeward.tailflog.follow.watch import Watcher
from nodeward.tailflog.spool import Spool

log = logging.getLogger(__name__)

SCAN = 10.0  # seconds between two looks at every file, where inotify tells of writes
SCAN_POLLING = 1.0  # the same where it does not
POLL = 0.2  # seconds between two looks at open files that inotify does not cover
SHARE = 100  # a look at every file takes at most a hundredth of the time
ROUND = 0.02  # seconds of work before the loop looks for news
QUIET = 60.0  # seconds without a late line after which a file that was rotated away is closed


class Tail:
    """Follows the files of a plan. `unit` is one round; `apply` may be called from another thread."""

    def __init__(
        self, spool: Spool, checkpoint: Checkpoint, never: tuple[str, ...] = (), polling: bool = False
    ) -> None:
        self._watcher = Watcher(polling)
        self._turns, self._open, self._spooling = Turns(), Descriptors(), Spooling(spool)
        self.files = Files(checkpoint.load(spool), self._turns.wake, self._spooling.keep, checkpoint.forget, never)
        self._plan: Plan | None = None
        self._next: Plan | None = None
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
        return bool(self._turns)

    @property
    def counts(self) -> Counts:
        """What has been done since the start."""
        return self._spooling.counts

    @property
    def followed(self) -> int:
        """How many files are followed."""
        return len(self.files.streams)

    @property
    def unparsed(self) -> int:
        """How many lines did not parse."""
        return self.files.unparsed

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
            log.info("Revision %d is in force. Files followed: %d.", self._plan.revision, self.followed)
        for path in written:
            for stream in self.files.streams.at(path):
                self._turns.wake(stream)
        now = time.monotonic()
        self._turns.wake_due(now)
        if changed:
            self._scan_at = min(self._scan_at, self._round_at + 10 * self._scan_took)
        if now >= self._scan_at and self._plan is not None:
            self._scan(now)
        if now >= self._poll_at:
            self._poll(now)
        self._work()
        if self._final and not self._turns and self._plan is not None:
            self._idle = self._finished()
        return True

    def finished(self) -> bool:
        """Say whether every file is read to its end; from the first call on, a last line without a newline counts as one."""
        self._final = True
        return self._idle and not self._turns

    def _finished(self) -> bool:
        """Ship last lines that have no newline. Return whether every file is at its end."""
        waiting = [stream for stream in self.files.streams if not stream.judged and stream.seen[0] > 0]
        for stream in self._open:
            self._finish(stream)
        return not waiting and not self._turns

    def _finish(self, stream: Stream) -> None:
        """Ship what is left of a file to which nothing will be added: its last line, if that has no newline."""
        if stream.is_open and (chunk := stream.take(final=True)) is not None:
            self._ship(stream, chunk)

    def _patience(self) -> float:
        """Return how long a round may wait for news (s)."""
        if self._paused:
            return 0.1
        if self._turns:
            return 0.0
        due = self._scan_at if self._turns.due is None else self._turns.due
        return max(0.0, min(self._scan_at, self._poll_at, due) - time.monotonic())

    def _scan(self, now: float) -> None:
        self._watcher.watch(self.files.scan())
        self._round_at = time.monotonic()
        self._scan_took = self._round_at - now
        self._scan_at = self._round_at + max(SCAN if self._watcher.complete else SCAN_POLLING, SHARE * self._scan_took)

    def _poll(self, now: float) -> None:
        """Look at the open files that inotify does not cover, and close those that were rotated away and are quiet."""
        for stream in self._open:
            if not stream.is_open:
                self._open.discard(stream)
                continue
            if stream.listed and stream.judged and self._watcher.complete:
                continue
            try:
                if not stream.judged or stream.grown():
                    self._turns.wake(stream)
                elif not stream.listed and now - stream.active > QUIET:
                    self._finish(stream)
                    self._close(stream)
            except OSError as error:
                self._in_trouble(stream, error)
        self._poll_at = time.monotonic() + max(POLL, 20 * (time.monotonic() - now))

    def _work(self) -> None:
        """Give turns until there is nothing to do, or it is time to look for news."""
        until = time.monotonic() + ROUND
        if self._stuck():
            return
        while self._turns:
            stream = self._turns.next()
            began = time.perf_counter()
            try:
                again = self._turn(stream)
            except SpoolFault as fault:
                self._pause(str(fault))
                self._turns.wake(stream)
                return
            stream.spent += time.perf_counter() - began
            if again:
                self._turns.wake(stream)
            if time.monotonic() > until or self._spooling.full:
                return

    def _stuck(self) -> bool:
        if self._spooling.full:
            self._pause(f"the spool holds {self._spooling.waiting} bytes that the log server has not taken yet")
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
            if not self.files.copies.decided(stream):
                return False
            chunk = stream.take()
            if chunk is None:
                self._turns.wake_at_due(stream)
                return stream.grown()
        except Rewritten:
            rest = stream.rest()
            if rest is not None and not self.files.copies.lies_in_one(stream, rest):
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
        while self._open.used_up:
            self._close(self._open.idlest())
        self._open.add(stream)
        stream.open()
        if stream.trouble:
            log.info("%s can be read again.", stream.path)
            stream.trouble = ""
        if self.files.refuse(stream):
            self._open.discard(stream)
            return False
        return True

    def _close(self, stream: Stream) -> None:
        self._ship_rest(stream)
        self._open.discard(stream)
        self.files.close(stream)

    def _ship(self, stream: Stream, chunk: Chunk) -> None:
        self._spooling.ship(stream, chunk)
        self._open.touch(stream)

    def _ship_rest(self, stream: Stream) -> None:
        """Ship a record that may still go on: it is read, and nobody knows whether it can be read again."""
        if (rest := stream.rest()) is not None:
            self._ship(stream, rest)

    def _in_trouble(self, stream: Stream, error: OSError) -> None:
        """Say once why a file cannot be read; the next look at every file tries it again."""
        self._ship_rest(stream)
        self._open.discard(stream)
        stream.close()
        why = error.strerror or str(error)
        if stream.trouble != why and not isinstance(error, FileNotFoundError):
            log.warning(
                "%s cannot be read: %s. It is tried again, and nothing of it is lost meanwhile.", stream.path, why
            )
            stream.trouble = why
