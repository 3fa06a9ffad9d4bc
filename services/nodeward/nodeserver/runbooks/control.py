"""What a run's process hears from its node server: stop, an answer; and that the node server is gone."""

import json
import socket
import threading
import time
from typing import Any


class Stopped(Exception):
    """Somebody stopped the run."""


class Gone(Exception):
    """The node server is no more: the run ends here."""


class Control:
    """The line to the node server. `check` raises what has come; every wait of a run goes through `wait`."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._file = line.makefile("rb")
        self._changed = threading.Condition()
        self._stops: list[str] = []
        self._heeded = 0
        self._gone = False
        self._answers: dict[str, tuple[str, str]] = {}

    def job(self) -> dict[str, Any]:
        """Return what is to be done: the first that comes."""
        line = self._file.readline()
        if not line:
            raise Gone
        job: dict[str, Any] = json.loads(line)
        return job

    def listen(self) -> None:
        """Begin to hear."""
        threading.Thread(target=self._listen, name="control", daemon=True).start()

    def news(self) -> None:
        """Tell the node server that the journal has grown."""
        try:
            self._line.send(b"\n", socket.MSG_DONTWAIT)
        except OSError:
            pass  # gone, which the listener hears; or so much news is waiting that one more is none

    def check(self) -> None:
        """Raise Gone or Stopped if that is so. A stop is raised once."""
        with self._changed:
            if self._gone:
                raise Gone
            if len(self._stops) > self._heeded:
                self._heeded = len(self._stops)
                raise Stopped(self._stops[-1])

    @property
    def must_end(self) -> bool:
        """Whether `check` would raise."""
        with self._changed:
            return self._gone or len(self._stops) > self._heeded

    def wait(self, seconds: float) -> None:
        """Wait so long, or until something comes; then `check`."""
        until = time.monotonic() + seconds
        with self._changed:
            while not self.must_end and (rest := until - time.monotonic()) > 0:
                self._changed.wait(rest)
        self.check()

    def answer(self, ask: str, seconds: float) -> tuple[str, str] | None:
        """Return (who, answer) to a question, or None if nobody answers in time."""
        until = time.monotonic() + seconds
        with self._changed:
            while ask not in self._answers and not self.must_end and (rest := until - time.monotonic()) > 0:
                self._changed.wait(rest)
        self.check()
        return self._answers.get(ask)

    def _listen(self) -> None:
        try:
            for line in self._file:
                self._hear(json.loads(line))
        except (OSError, ValueError):
            pass  # as good as gone
        with self._changed:
            self._gone = True
            self._changed.notify_all()

    def _hear(self, said: dict[str, Any]) -> None:
        with self._changed:
            if said["do"] == "stop":
                self._stops.append(said["by"])
            else:
                self._answers.setdefault(said["ask"], (said["by"], said["answer"]))
            self._changed.notify_all()
