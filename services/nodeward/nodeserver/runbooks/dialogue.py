"""A dialogue with a program: what is waited for, what is answered, where it goes on. Patterns are RE2's."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from nodeward.core import matching
from nodeward.core.runbook import Case, Turn
from nodeward.nodeserver.runbooks.control import Control
from nodeward.nodeserver.runbooks.journal import Journal
from nodeward.nodeserver.runbooks.program import Program
from nodeward.nodeserver.runbooks.visible import Visible

LOOK_SECONDS = 0.1
WINDOW = 65536  # characters that a pattern is looked for in
KEPT = 262144  # characters of the output that a result has
MOST_TURNS = 10_000


class Failed(Exception):
    """The step did not go well; the text says why, for people."""


@dataclass
class Talk:
    """A program's output as it comes: to the journal, to the result, and to the patterns."""

    program: Program
    journal: Journal
    control: Control
    until: float
    window: str = ""
    kept: str = ""
    groups: dict[str, str] = field(default_factory=dict)
    over: bool = False

    def __post_init__(self) -> None:
        self._visible, self._stream = Visible(), self.journal.stream()

    def listen(self, seconds: float) -> None:
        """Take in what comes within so many seconds, at once if there is something. Raise Stopped, Gone, or Failed in the end."""
        self.control.check()
        if time.monotonic() > self.until:
            raise Failed("it took longer than the step may.")
        piece = self.program.read(max(0.0, min(seconds, LOOK_SECONDS)))
        if piece is None:
            self.over = True
            self._take(self._visible.end())
            self.journal.output(self._stream.end())
            self.journal.flush()
        elif piece:
            self.journal.output(self._stream.feed(piece))
            self._take(self._visible.feed(piece))
        self.journal.breathe()

    def to_the_end(self) -> None:
        """Take in everything until the program has ended."""
        while not self.over:
            self.listen(LOOK_SECONDS)

    def hush(self) -> None:
        """Tell what was held back, for nothing more will be read."""
        self.journal.output(self._stream.end())
        self.journal.flush()

    def _take(self, seen: str) -> None:
        self.window = (self.window + seen)[-WINDOW:]
        self.kept = (self.kept + seen)[-KEPT:]


def last_line(printed: str) -> str:
    """Return the last line that says something, as the end of a sentence."""
    last = next((line for line in reversed(printed.splitlines()) if line.strip()), "")
    return f": {last.strip()[:200]}" if last else "."


Send = Callable[[Case], str]


def hold(talk: Talk, turns: Sequence[Turn], send: Send) -> None:
    """Hold the dialogue. `send` gives the text of a case's answer. Raise Failed if it does not go as it should."""
    names = {turn.name: place for place, turn in enumerate(turns) if turn.name}
    place = taken = 0
    while place < len(turns):
        taken += 1
        if taken > MOST_TURNS:
            raise Failed(f"the dialogue has had {MOST_TURNS} turns and finds no end.")
        turn = turns[place]
        case = _wait(talk, turn)
        if case is None:
            place += 1
            continue
        _answer(talk, case, send)
        if case.then == "done":
            return
        if case.then != "again":
            place = place + 1 if case.then == "next" else names[case.then]


def _wait(talk: Talk, turn: Turn) -> Case | None:
    """Return the case that came first, or None if the turn is optional and nothing came."""
    cases = turn.all_cases()
    patterns = [matching.pattern(case.pattern) for case in cases]
    until = time.monotonic() + turn.timeout
    while True:
        if (found := _first(talk.window, patterns)) is not None:
            number, match = found
            talk.groups |= {name: text or "" for name, text in match.groupdict().items()}
            talk.window = talk.window[match.end() :]
            return cases[number]
        rest = until - time.monotonic()
        if not talk.over and rest > 0:
            talk.listen(rest)
            continue
        if turn.optional:
            return None
        wanted = " or ".join(repr(case.pattern) for case in cases)[:100]
        if talk.over:
            raise Failed(f"the program ended before {wanted} came{last_line(talk.kept)}")
        raise Failed(f"{wanted} did not come within {turn.timeout:g} s.")


def _first(window: str, patterns: Sequence[Any]) -> tuple[int, Any] | None:
    """Return (which, match) of the pattern that matches furthest ahead; of several there, the first one."""
    found = [(match.start(), number, match) for number, each in enumerate(patterns) if (match := each.search(window))]
    if not found:
        return None
    _, number, match = min(found, key=lambda each: each[:2])
    return number, match


def _answer(talk: Talk, case: Case, send: Send) -> None:
    if case.fail is not None:
        raise Failed(case.fail)
    if case.key is not None:
        talk.journal.tell("sent", text=f"<{case.key}>")
        talk.program.press(case.key)
    elif case.send is not None:
        text = send(case)
        talk.journal.tell("sent", text=text)
        talk.program.send(text + ("\r" if case.enter else ""))
