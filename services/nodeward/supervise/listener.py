"""Supervisor's event listener: what to do when a critical program is lost.

Supervisor restarts a program that ends. It gives up (FATAL) on one that will not stay up, and nobody hears of that. In a
container this listener then ends supervisord, so that the container ends and is started anew (`end`); on a machine where
every role runs under one supervisord, it starts the lost program again from time to time and leaves the others alone (`retry`).
A program that somebody stopped is STOPPED, and never counts as lost. What was stopped or started past our own doors, with
supervisorctl for example, it notes for the audit list (`outside`).

It looks at the states every five seconds, beside hearing of FATAL at once: supervisor drops events when its buffer is full, one
may come while the listener itself is being restarted, and whether a program that ended is being started again only the next
look tells. It needs nothing at its start, and its
standard output carries supervisor's protocol and nothing else.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from nodeward.core import clock
from nodeward.core.deeds import OUTSIDE, Deed, note
from nodeward.core.errors import EXIT_OK, NodewardError
from nodeward.core.program import guarded
from nodeward.supervise.client import Program, Programs
from nodeward.supervise.images import read_critical
from nodeward.supervise.marks import marked
from nodeward.supervise.outside import Outside

RETRY_SECONDS = 30.0
AGAIN_SECONDS = 5.0


class Event(NamedTuple):
    """One of supervisor's events, e.g. PROCESS_STATE_FATAL, and what it carries."""

    name: str
    payload: dict[str, str]


class Loss(NamedTuple):
    """A critical program that is lost, and why that is thought."""

    program: str
    reason: str


class Watch:
    """Decides which critical programs are lost. `states` gives supervisor's programs."""

    def __init__(self, critical: frozenset[str], states: Callable[[], Iterable[Program]]) -> None:
        self._critical, self._states = critical, states
        self._ended: frozenset[str] = frozenset()

    def lost(self, event: Event) -> list[Loss]:
        """Given an event, return what is lost. That supervisor cannot be asked is said, and what the event says still counts."""
        name = event.payload.get("processname", "")
        if event.name == "PROCESS_STATE_FATAL" and name in self._critical:
            return [Loss(name, "supervisor gave it up (FATAL)")]
        if not event.name.startswith("TICK"):
            return []
        try:
            programs = [program for program in self._states() if program.name in self._critical]
        except NodewardError as error:
            say(f"the programs' states could not be seen: {error}")
            return []
        ended = frozenset(program.name for program in programs if is_ended(program))
        found = lost_among(programs, self._ended & ended)
        self._ended = ended
        return found


def is_ended(program: Program) -> bool:
    """Whether a program ended in a way nobody asked for, and is not up again."""
    return program.state == "EXITED" and program.exit_status != 0


def lost_among(programs: Iterable[Program], still_ended: frozenset[str]) -> list[Loss]:
    """Given the critical programs, and those that had ended at the last look as well, return the lost ones."""
    return [
        Loss(program.name, f"supervisor gave it up (FATAL: {program.spawn_error or 'it did not stay up'})")
        if program.state == "FATAL"
        else Loss(program.name, f"it ended with status {program.exit_status}, and nothing starts it again")
        for program in programs
        if program.state == "FATAL" or program.name in still_ended
    ]


def end(losses: list[Loss], marker: Path) -> None:
    """End supervisord, this process's parent, and with it the container. Does not return: it asks until it is ended itself."""
    for loss in losses:
        say(f"{loss.program} is lost: {loss.reason}; ending the container so that it is started anew")
    leave(marker, losses)
    while True:
        os.kill(os.getppid(), signal.SIGTERM)
        time.sleep(AGAIN_SECONDS)


class Retry:
    """Starts lost programs again, each at most every `RETRY_SECONDS`."""

    def __init__(self, start: Callable[[str], object], clock_: Callable[[], float] = time.monotonic) -> None:
        self._start, self._clock = start, clock_
        self._next: dict[str, float] = {}

    def __call__(self, losses: list[Loss]) -> None:
        """Start those whose time has come; what is heard of for the first time waits its turn."""
        for loss in losses:
            due = self._next.setdefault(loss.program, self._clock() + RETRY_SECONDS)
            if self._clock() >= due:
                self._next[loss.program] = self._clock() + RETRY_SECONDS
                self._try(loss)

    def _try(self, loss: Loss) -> None:
        try:
            self._start(loss.program)
            say(f"{loss.program} was lost ({loss.reason}); trying it again")
        except NodewardError as error:
            say(f"{loss.program} is lost: {error} Next try in {RETRY_SECONDS:.0f} s.")


def leave(marker: Path, losses: list[Loss]) -> None:
    """Leave word for the next start, if that can be written."""
    try:
        marker.write_text("".join(f"{clock.rfc3339(clock.now())} {loss.program}: {loss.reason}\n" for loss in losses))
    except OSError as error:
        say(f"the reason could not be noted in {marker} ({error.strerror})")


def take(marker: Path) -> None:
    """Say why the container ended the last time, if this listener ended it."""
    try:
        say(f"the container had been ended: {marker.read_text().strip()}")
        marker.unlink()
    except OSError:
        pass  # it was not, or nobody can tell


def events(source: BinaryIO, protocol: BinaryIO) -> Iterator[Event]:
    """Yield supervisor's events until it closes the pipe; each is acknowledged once the next one is asked for."""
    while True:
        protocol.write(b"READY\n")
        protocol.flush()
        header = words(source.readline())
        if "len" not in header:
            return
        payload = source.read(int(header["len"]))
        yield Event(header["eventname"], words(payload.partition(b"\n")[0]))
        protocol.write(b"RESULT 2\nOK")
        protocol.flush()


def words(line: bytes) -> dict[str, str]:
    """Given ``processname:web from_state:BACKOFF``, return the pairs."""
    pairs = (word.partition(":") for word in line.decode("utf-8", "replace").split())
    return {key: value for key, _, value in pairs}


def say(sentence: str) -> None:
    """Say it where supervisor keeps what this listener says: on stderr, with the time."""
    print(f"{clock.rfc3339(clock.now())} listener: {sentence}", file=sys.stderr, flush=True)  # noqa: T201


def main() -> int:
    """Run until supervisor closes the pipe. What happens on a loss is told by the first argument."""
    parser = argparse.ArgumentParser(prog="nodeward.supervise.listener", description=__doc__)
    parser.add_argument("on_loss", choices=["end", "retry"])
    parser.add_argument("critical", type=Path, nargs="+", help="files that name the critical programs")
    asked = parser.parse_args()
    protocol = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints by mistake goes to stderr, and never into the protocol
    return listen(asked.on_loss, frozenset().union(*map(read_critical, asked.critical)), sys.stdin.buffer, protocol)


def listen(on_loss: str, critical: frozenset[str], source: BinaryIO, protocol: BinaryIO) -> int:
    """Watch the critical programs of the supervisor whose state is under NODEWARD_VAR."""
    var = Path(os.environ.get("NODEWARD_VAR", "var")).absolute()
    marker = var / "run" / "ended"
    programs = Programs(var, timeout=5.0)
    act = Retry(programs.start) if on_loss == "retry" else lambda losses: end(losses, marker)
    take(marker)
    watch, outside = Watch(critical, programs.list), Outside(_standing(programs))
    for event in events(source, protocol):
        _note_deed(outside, event, var)
        losses = watch.lost(event)
        if losses:
            act(losses)
    return EXIT_OK


def _standing(programs: Programs) -> list[Program]:
    """How the programs stand; none if supervisor cannot be asked, which costs a line in the audit list at most."""
    try:
        return programs.list()
    except NodewardError as error:
        say(f"the programs' states could not be seen: {error}")
        return []


def _note_deed(outside: Outside, event: Event, var: Path) -> None:
    """Note for the audit what somebody did without asking one of our own doors."""
    action, name = outside.action(event.name, event.payload), event.payload.get("processname", "")
    if action is not None and not marked(var, name):
        note(var, Deed(clock.now(), OUTSIDE, action, name, via="supervisor"))
        say(f"{action} {name}: by {OUTSIDE}")


if __name__ == "__main__":
    sys.exit(guarded(main))
