"""The life of a program: load, start, loop until a signal, stop. Errors become one line and an exit code here, and only here.

A role's `main` hands `run` a list of parts. A part is anything with `start()` and `stop()`; they start in order and stop in
reverse. A part with `alive` that turns false ends the program with exit code 1, and supervisor starts it anew.
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Protocol

from nodeward.core import news
from nodeward.core.errors import EXIT_FAILED, EXIT_OK, NodewardError

log = logging.getLogger(__name__)


class Part(Protocol):
    """Something that runs as long as the program does."""

    def start(self) -> None:
        """Begin; raise NodewardError if that is impossible."""

    def stop(self) -> None:
        """End within a few seconds, losing nothing that was acknowledged."""

    @property
    def alive(self) -> bool:
        """Whether it still does its work."""


class Worker:
    """A part that calls `unit` on a thread of its own, over and over, until stopped.

    `unit` does one piece of work and returns whether there was any; if not, the worker waits `idle` seconds or until
    `wake()`. An exception in one unit is logged and does not end the loop: the worker waits `idle` and goes on.
    """

    def __init__(self, name: str, unit: Callable[[], bool], idle: float = 1.0) -> None:
        self._name, self._unit, self._idle = name, unit, idle
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)

    def start(self) -> None:
        """Begin the loop."""
        self._thread.start()

    def stop(self) -> None:
        """Let the unit at work finish, then end."""
        self._stopping.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=10)

    def wake(self) -> None:
        """Let a waiting worker look for work now."""
        self._wake.set()

    @property
    def alive(self) -> bool:
        """Whether the loop runs."""
        return self._thread.is_alive()

    def _loop(self) -> None:
        while True:
            self._wake.clear()
            if self._stopping.is_set():  # looked at after clearing: `stop` sets this first, and then wakes
                return
            try:
                busy = self._unit()
            except NodewardError as error:
                log.warning("%s: %s", self._name, error)
                busy = False
            except Exception:
                log.exception("%s: one piece of work failed; going on", self._name)
                busy = False
            if not busy:
                self._wake.wait(self._idle)


class Stop:
    """Set by SIGTERM and SIGINT, asked by loops."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def install(self) -> None:
        """Let the signals set this."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def set(self) -> None:
        """Ask the program to end."""
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Wait at most so long; return whether the program shall end."""
        return self._event.wait(seconds)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._event.set()


def run(parts: Sequence[Part], stop: Stop | None = None) -> int:
    """Start the parts in order, wait for a signal, stop them in reverse. Return the exit code."""
    stop = stop or Stop()
    stop.install()
    started: list[Part] = []
    code = EXIT_OK
    try:
        for part in parts:
            part.start()
            started.append(part)
        log.info("started")
        while not stop.wait(1.0):
            dead = [part for part in started if not part.alive]
            if dead:
                log.error("%s ended unexpectedly; the program ends so that supervisor starts it anew", dead)
                code = EXIT_FAILED
                break
    finally:
        log.info("stopping")
        news.end_all()
        for part in reversed(started):
            try:
                part.stop()
            except Exception:
                log.exception("a part did not stop cleanly")
    return code


def guarded(main: Callable[[], int]) -> int:
    """Run `main`; turn an error for people into a line on stderr and its exit code."""
    os.umask(0o027)  # what a role keeps is for its own user and group alone
    try:
        return main()
    except NodewardError as error:
        print(f"nodeward: {error}", file=sys.stderr)  # noqa: T201 - before logging is set up, stderr is all there is
        return error.exit_code
    except KeyboardInterrupt:
        return 130
