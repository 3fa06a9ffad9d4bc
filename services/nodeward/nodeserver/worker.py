"""A process that starts external plugins for the node server: `python -m nodeward.nodeserver.worker SOCKET TABLE FIRST COUNT`.

It reads jobs from the socket and writes how each ended (both msgpack), one loop, no threads. Every plugin is a session of its
own; what exceeds its time is ended with everything it started. The pids of running plugins stand in a table shared with the
node server, which ends them if this process is lost; and this process ends them if the node server is lost (the socket closes).
"""

import contextlib
import ctypes
import mmap
import os
import select
import signal
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack

SLOT = struct.Struct("<q")
MOST_OUTPUT = 64 * 1024
GRACE_SECONDS = 1.0  # between TERM and KILL
LOOK_AFTER = 0.05  # a plugin that runs longer has its output read as it comes; most end sooner
_DEVNULL = os.open(os.devnull, os.O_RDWR)
_PR_SET_CHILD_SUBREAPER = 36


@dataclass
class Stream:
    """One of a plugin's two streams: its beginning is kept, the rest read and left out."""

    descriptor: int
    kept: bytearray = field(default_factory=bytearray)
    truncated: bool = False

    def drain(self) -> bool:
        """Read what is there, but not for ever. Return whether more may come."""
        for _ in range(8):
            try:
                piece = os.read(self.descriptor, 65536)
            except BlockingIOError:
                return True
            if not piece:
                return False
            room = MOST_OUTPUT - len(self.kept)
            self.kept += piece[:room]
            self.truncated |= len(piece) > room
        return True


@dataclass
class Run:
    """A plugin at work. Times are seconds of the monotonic clock, `started` µs since 1970."""

    number: int
    pid: int
    slot: int
    streams: tuple[Stream, Stream]
    started: int
    began: float
    deadline: float
    watched: bool = False
    family: dict[int, bytes] | None = None  # once it was told to end: everything it had started


class Worker:
    """The loop. `run` returns when the node server has closed its end."""

    def __init__(self, link: socket.socket, table: mmap.mmap, slots: range) -> None:
        self._link, self._table, self._free = link, table, list(slots)
        self._runs: dict[int, Run] = {}
        self._watched: dict[int, Stream] = {}
        self._unpacker, self._packer = msgpack.Unpacker(max_buffer_size=64 * 1024 * 1024), msgpack.Packer()
        self._poll = select.epoll()
        self._answers = bytearray()
        self._children, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def run(self) -> None:
        """Serve until the node server closes its end; then end every plugin."""
        self._link.setblocking(False)
        self._poll.register(self._link, select.EPOLLIN)
        self._poll.register(self._children, select.EPOLLIN)
        open_ = True
        while open_:
            for descriptor, _ in self._poll.poll(self._patience()):
                if descriptor == self._link.fileno():
                    open_ = self._take_jobs()
                elif descriptor == self._children:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self._children, 4096)
                elif not self._watched[descriptor].drain():
                    self._shut(self._watched[descriptor])
            self._reap()
            self._look()
            self._answer()
        for run in self._runs.values():
            end(family(run.pid), signal.SIGKILL)

    def _patience(self) -> float:
        """How long nothing needs to be done, in seconds."""
        if self._answers:
            return 0.01
        now, soonest = time.monotonic(), 60.0
        for run in self._runs.values():
            due = run.deadline if run.watched else min(run.deadline, run.began + LOOK_AFTER)
            soonest = min(soonest, due - now)
        return max(0.0, soonest) + 0.001 if self._runs else 60.0

    def _take_jobs(self) -> bool:
        try:
            data = self._link.recv(1 << 18)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._unpacker.feed(data)
        for number, argv, env, timeout in self._unpacker:
            self._start(number, argv, env, timeout)
        return bool(data)

    def _start(self, number: int, argv: list[str], env: dict[str, str], timeout: float) -> None:
        started, began = time.time_ns() // 1000, time.monotonic()
        try:
            pid, streams = spawn(argv, env)
        except (OSError, ValueError) as error:
            code = 127 if isinstance(error, FileNotFoundError | NotADirectoryError) else 126
            reason = f"{argv[0]}: {getattr(error, 'strerror', None) or error}".encode()
            self._say(number, code, b"", reason, False, False, started, time.monotonic() - began)
        else:
            slot = self._free.pop() if self._free else -1
            self._note(slot, pid)
            self._runs[pid] = Run(number, pid, slot, streams, started, began, began + timeout)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            run = self._runs.pop(pid, None)
            if run is not None:  # else something that a plugin left behind and that has come to us
                self._finish(run, os.waitstatus_to_exitcode(status))

    def _finish(self, run: Run, code: int) -> None:
        if run.family is not None:
            end(run.family | family(run.pid), signal.SIGKILL)  # what outlived its leader
        for stream in [one for one in run.streams if one.descriptor >= 0]:
            stream.drain()
            self._shut(stream)
        self._note(run.slot, 0)
        if run.slot >= 0:
            self._free.append(run.slot)
        out, err = run.streams
        timed_out, took = run.family is not None, time.monotonic() - run.began
        self._say(run.number, code, bytes(out.kept), bytes(err.kept), out.truncated, timed_out, run.started, took)

    def _shut(self, stream: Stream) -> None:
        if self._watched.pop(stream.descriptor, None) is not None:
            self._poll.unregister(stream.descriptor)
        os.close(stream.descriptor)
        stream.descriptor = -1

    def _look(self) -> None:
        """Watch the output of plugins that take longer, end those that take too long."""
        now = time.monotonic()
        for run in self._runs.values():
            if not run.watched and now >= run.began + LOOK_AFTER:
                run.watched = True
                for stream in [one for one in run.streams if one.descriptor >= 0]:
                    self._watched[stream.descriptor] = stream
                    self._poll.register(stream.descriptor, select.EPOLLIN)
            if now >= run.deadline:
                number = signal.SIGTERM if run.family is None else signal.SIGKILL
                run.family = (run.family or {}) | family(run.pid)
                end(run.family, number)
                run.deadline = now + GRACE_SECONDS

    def _say(self, *answer: Any) -> None:
        self._answers += self._packer.pack(answer)

    def _answer(self) -> None:
        if self._answers:
            with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                sent = self._link.send(self._answers)
                del self._answers[:sent]

    def _note(self, slot: int, pid: int) -> None:
        if slot >= 0:
            SLOT.pack_into(self._table, slot * SLOT.size, pid)


_DEFAULTS = [signal.SIGPIPE, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


def spawn(argv: list[str], env: dict[str, str]) -> tuple[int, tuple[Stream, Stream]]:
    """Start a plugin in a session of its own. Return its pid and its streams. Raise OSError or ValueError if it cannot be."""
    opened: list[int] = []
    try:
        opened += os.pipe2(os.O_CLOEXEC)
        opened += os.pipe2(os.O_CLOEXEC)
        out, out_end, err, err_end = opened
        actions = [(os.POSIX_SPAWN_DUP2, one, two) for one, two in ((_DEVNULL, 0), (out_end, 1), (err_end, 2))]
        pid = os.posix_spawn(argv[0], argv, env, file_actions=actions, setsid=True, setsigdef=_DEFAULTS, setsigmask=())
    except BaseException:
        for descriptor in opened:
            os.close(descriptor)
        raise
    for descriptor in (out_end, err_end):
        os.close(descriptor)
    for descriptor in (out, err):
        os.set_blocking(descriptor, False)
    return pid, (Stream(out), Stream(err))


def end(members: dict[int, bytes], number: signal.Signals) -> None:
    """Send a signal to every process of a family that is still the same process."""
    for pid, born in members.items():
        with contextlib.suppress(OSError):
            if _stat(pid)[19] == born:
                os.kill(pid, number)


def family(leader: int, proc: Path = Path("/proc")) -> dict[int, bytes]:
    """Return the processes of a session and all their descendants, whichever session those are in: pid → when it began."""
    parents: dict[int, int] = {}
    born: dict[int, bytes] = {}
    found: set[int] = set()
    for pid in [int(name) for name in os.listdir(proc) if name.isdigit()]:
        with contextlib.suppress(OSError):
            fields = _stat(pid, proc)
            parents[pid], born[pid] = int(fields[1]), fields[19]
            if pid == leader or int(fields[3]) == leader:
                found.add(pid)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return {pid: born[pid] for pid in found}


def adopt_orphans() -> None:
    """Let what this process's descendants leave behind come to it, rather than to a process 1 that may not bury its dead."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def buried(pid: int) -> bool:
    """Bury a child if it has ended. Return whether there is nothing left to bury."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _stat(pid: int, proc: Path = Path("/proc")) -> list[bytes]:
    """The fields of /proc/PID/stat from the third on: state, parent, group, session, …, [19] when it began."""
    return (proc / str(pid) / "stat").read_bytes().rpartition(b") ")[2].split()


def main(arguments: list[str]) -> int:
    """Serve on the descriptors that the node server handed over."""
    link, table, first, count = (int(word) for word in arguments)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the node server decides; its end of the socket says so
    adopt_orphans()
    os.set_inheritable(link, False)
    os.set_inheritable(table, False)
    with socket.socket(fileno=link) as connection, mmap.mmap(table, 0) as shared:
        Worker(connection, shared, range(first, first + count)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
