"""External plugins: the node server's side of the worker processes. Jobs go out, ends come back, lost workers are replaced."""

import itertools
import logging
import mmap
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgpack

from nodeward.nodeserver import worker

log = logging.getLogger(__name__)

HANGS_AFTER = 10.0  # seconds beyond a job's time limit: then its worker is taken for hung
RESPAWN_SECONDS = 1.0


@dataclass
class Job:
    """A plugin to run: a whole argument vector (its first word a path), a whole environment, a time limit in seconds."""

    argv: list[str]
    env: dict[str, str]
    timeout: float
    what: Any  # handed back with the end
    lost: int = 0
    sent: float = 0.0


@dataclass(frozen=True)
class End:
    """How a plugin ended: `status` is its exit code, or minus a signal; None if its worker was lost, twice."""

    job: Job
    status: int | None
    stdout: bytes
    stderr: bytes
    truncated: bool
    timed_out: bool
    started: int
    took: float


@dataclass
class _Side:
    """One worker process and what it was given."""

    process: subprocess.Popen[bytes]
    link: socket.socket
    slots: range
    jobs: dict[int, Job] = field(default_factory=dict)
    unsent: bytearray = field(default_factory=bytearray)
    unpacker: Any = field(default_factory=lambda: msgpack.Unpacker(max_buffer_size=64 * 1024 * 1024))
    events: int = selectors.EVENT_READ


class Plugins:
    """A part. `submit` takes jobs from any thread; `finished` is called on this part's own with the ends as they come."""

    def __init__(self, workers: int, at_once: int, finished: Callable[[list[End]], None]) -> None:
        self._count, self._each, self._finished = workers, -(-at_once // workers), finished
        self._pending: deque[Job] = deque()
        self._numbers = itertools.count(1)
        self._sides: list[_Side] = []
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._stopping = threading.Event()
        self._looked = 0.0
        self._memory = os.memfd_create("plugins")
        os.ftruncate(self._memory, workers * self._each * worker.SLOT.size)
        self._table = mmap.mmap(self._memory, 0)
        self._thread = threading.Thread(target=self._loop, name="plugins", daemon=True)
        self._packer = msgpack.Packer()
        self._orphans: set[int] = set()  # what lost workers ran: it comes to this process, which must bury it
        self.lost_workers = 0

    def start(self) -> None:
        """Start the workers."""
        worker.adopt_orphans()
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        for index in range(self._count):
            self._spawn(index)
        self._thread.start()

    def stop(self) -> None:
        """End the workers; they end what they run."""
        self._stopping.set()
        self._wake()
        self._thread.join(timeout=5)
        for side in self._sides:
            side.link.close()
        for side in self._sides:
            try:
                side.process.wait(timeout=3)
            except subprocess.TimeoutExpired:
                self._put_down(side)
        self._selector.close()

    @property
    def alive(self) -> bool:
        """Whether it takes jobs."""
        return self._thread.is_alive()

    @property
    def running(self) -> int:
        """How many plugins are at work or given to a worker."""
        return sum(len(side.jobs) for side in self._sides)

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._pending)

    def submit(self, jobs: list[Job]) -> None:
        """Let these run as soon as there is a place."""
        self._pending.extend(jobs)
        self._wake()

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"\0")
        except BlockingIOError:
            pass  # it is awake

    def _loop(self) -> None:
        while not self._stopping.is_set():
            ends: list[End] = []
            for key, events in self._selector.select(timeout=0.5):
                if key.data is None:
                    os.read(self._wake_read, 65536)
                else:
                    self._serve(key.data, events, ends)
            self._look_after(ends)
            self._hand_out()
            if ends:
                self._report(ends)

    def _report(self, ends: list[End]) -> None:
        try:
            self._finished(ends)
        except Exception:
            log.exception("%d results could not be handed on", len(ends))

    def _hand_out(self) -> None:
        touched: set[int] = set()
        while self._pending:
            index = min(range(self._count), key=lambda one: len(self._sides[one].jobs))
            side = self._sides[index]
            if len(side.jobs) >= self._each:
                break
            job, number = self._pending.popleft(), next(self._numbers)
            job.sent = time.monotonic()
            side.jobs[number] = job
            side.unsent += self._packer.pack((number, job.argv, job.env, job.timeout))
            touched.add(index)
        for index in touched:
            self._flush(self._sides[index])

    def _flush(self, side: _Side) -> None:
        try:
            while side.unsent:
                del side.unsent[: side.link.send(side.unsent)]
        except BlockingIOError:
            pass  # the selector tells when there is room
        except OSError:
            side.unsent.clear()  # it is lost; reading tells
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if side.unsent else 0)
        if wanted != side.events:
            side.events = wanted
            self._selector.modify(side.link, wanted, side)

    def _serve(self, side: _Side, events: int, ends: list[End]) -> None:
        if events & selectors.EVENT_WRITE:
            self._flush(side)
        if not events & selectors.EVENT_READ:
            return
        try:
            data = side.link.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._replace(side, ends, "ended unexpectedly")
            return
        side.unpacker.feed(data)
        for number, *end in side.unpacker:
            ends.append(End(side.jobs.pop(number), *end))

    def _look_after(self, ends: list[End]) -> None:
        now = time.monotonic()
        if now < self._looked + 1.0:
            return
        self._looked = now
        self._orphans = {pid for pid in self._orphans if not worker.buried(pid)}
        for side in list(self._sides):
            if any(now > job.sent + job.timeout + worker.GRACE_SECONDS + HANGS_AFTER for job in side.jobs.values()):
                self._replace(side, ends, "hangs")

    def _replace(self, side: _Side, ends: list[End], fault: str) -> None:
        """Put a worker down with all it ran, give its jobs to another, once; start a new one in its place."""
        self.lost_workers += 1
        log.error(
            "the plugin worker %d %s; its %d plugins are ended and run again", side.process.pid, fault, len(side.jobs)
        )
        self._selector.unregister(side.link)
        self._put_down(side)
        side.link.close()
        for job in side.jobs.values():
            job.lost += 1
            if job.lost < 2:
                self._pending.appendleft(job)
            else:
                ends.append(End(job, None, b"", b"", False, False, time.time_ns() // 1000, 0.0))
        self._stopping.wait(0 if self.lost_workers < 10 else RESPAWN_SECONDS)
        self._spawn(self._sides.index(side))

    def _put_down(self, side: _Side) -> None:
        side.process.kill()
        side.process.wait()
        for slot in side.slots:
            (pid,) = worker.SLOT.unpack_from(self._table, slot * worker.SLOT.size)
            if pid:
                family = worker.family(pid)
                worker.end(family, signal.SIGKILL)
                self._orphans |= family.keys()
                worker.SLOT.pack_into(self._table, slot * worker.SLOT.size, 0)

    def _spawn(self, index: int) -> None:
        ours, theirs = socket.socketpair()
        slots = range(index * self._each, (index + 1) * self._each)
        words = [theirs.fileno(), self._memory, slots.start, len(slots)]
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", worker.__name__, *map(str, words)],
                pass_fds=(theirs.fileno(), self._memory),
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # what ends the node server's group must not end them: they clear up
                cwd="/",
            )
        ours.setblocking(False)
        side = _Side(process, ours, slots)
        self._sides[index : index + 1] = [side]
        self._selector.register(ours, selectors.EVENT_READ, side)
