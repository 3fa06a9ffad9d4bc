"""A program on a terminal of its own, by pexpect. Arguments are a vector: no shell reads them."""

import os
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pexpect
import ptyprocess

COLUMNS, ROWS = 120, 30
PIECE = 16384
_DRAIN_SECONDS = 0.2
KEYS = {
    "enter": "\r", "tab": "\t", "escape": "\x1b", "ctrl-c": "\x03", "ctrl-d": "\x04", "ctrl-z": "\x1a", "up": "\x1b[A",
    "down": "\x1b[B", "space": " ",
}  # fmt: skip


class CannotStart(Exception):
    """The program could not be started; the text says why."""


class _Spawn(pexpect.spawn):
    """Lets the program read its standard input from a file that is nowhere on disk."""

    stdin: int | None = None

    def _spawnpty(self, args: Any, **given: Any) -> Any:
        if self.stdin is not None:
            given["pass_fds"] = (self.stdin,)
            given["preexec_fn"] = self._take_stdin
        return ptyprocess.PtyProcess.spawn(args, **given)

    def _take_stdin(self) -> None:
        assert self.stdin is not None
        os.dup2(self.stdin, 0)


class Program:
    """A program at work. `read` gives what it prints, None once that is all; `code` is its exit code after that."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], cwd: str | None, stdin: str | None = None) -> None:
        if cwd is not None and not os.path.isdir(cwd):
            raise CannotStart(f"The directory {cwd} is not there.")
        program = shutil.which(argv[0], path=env.get("PATH"))
        if program is None:
            raise CannotStart(f"There is no program '{argv[0][:200]}' here that could be run.")
        self._child = _Spawn(
            None, encoding="utf-8", codec_errors="replace", echo=True, cwd=cwd, env=dict(env), timeout=None
        )
        self._child.stdin = None if stdin is None else _in_memory(stdin)
        try:
            self._child._spawn(
                _as_one(program) if len(argv) == 1 else program, list(argv[1:]), dimensions=(ROWS, COLUMNS)
            )
        except (OSError, ValueError, pexpect.ExceptionPexpect, ptyprocess.PtyProcessError) as error:
            number = getattr(error, "errno", None)
            reason = os.strerror(number) if isinstance(number, int) else str(error).partition("\n")[0]
            raise CannotStart(f"'{argv[0][:200]}' cannot be started: {reason}.") from None
        finally:
            if self._child.stdin is not None:
                os.close(self._child.stdin)
        self._ended: float | None = None

    @property
    def pid(self) -> int:
        """The process."""
        return int(self._child.pid)

    def read(self, seconds: float) -> str | None:
        """Return what it printed: at once if there is something, else within so many seconds; None when that was all.

        What it left behind may hold the terminal open: when the program itself has ended, that is all.
        """
        try:
            return str(self._child.read_nonblocking(PIECE, seconds))
        except pexpect.TIMEOUT:
            if self._over():
                return None
            return ""
        except (pexpect.EOF, OSError):
            return None

    def send(self, text: str) -> None:
        """Type a text."""
        try:
            self._child.send(text)
        except OSError:
            pass  # it has ended, which reading tells

    def press(self, key: str) -> None:
        """Press a key of KEYS."""
        self.send(KEYS[key])

    def code(self, seconds: float) -> int | None:
        """Return its exit code (128 and the signal's number if one ended it), or None if it goes on for longer than that."""
        until = time.monotonic() + seconds
        while self._is_alive():
            if time.monotonic() > until:
                return None
            time.sleep(0.01)
        if self._child.signalstatus is not None:
            return 128 + int(self._child.signalstatus)
        return int(self._child.exitstatus or 0)

    def close(self) -> None:
        """Give the terminal back. What still holds it is hung up on.

        By the file object that owns it: closed past that, the number would be closed once more when the object goes, and may be
        somebody else's by then.
        """
        try:
            self._child.ptyproc.fileobj.close()
        except OSError:
            pass  # closed it is all the same
        self._child.ptyproc.closed = self._child.closed = True

    def _over(self) -> bool:
        """Whether it ended a moment ago: by then everything it printed has come."""
        if self._is_alive():
            return False
        self._ended = self._ended or time.monotonic()
        return time.monotonic() > self._ended + _DRAIN_SECONDS

    def _is_alive(self) -> bool:
        try:
            return bool(self._child.isalive())
        except (pexpect.ExceptionPexpect, ptyprocess.PtyProcessError):
            return False  # somebody else has buried it


def _in_memory(text: str) -> int:
    file = os.memfd_create("stdin")
    os.truncate(file, 0)
    data = memoryview(text.encode())
    while data:
        data = data[os.write(file, data) :]
    os.lseek(file, 0, os.SEEK_SET)
    return file


def _as_one(program: str) -> str:
    """pexpect splits a command without arguments into words: let it find one."""
    return re.sub(r"([^A-Za-z0-9_/.-])", r"\\\1", program)
