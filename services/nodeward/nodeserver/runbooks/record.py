"""The record of a run on disk: a directory with `record.json` (who, what, which process) and the run's journal.

What a record says of the run's course is read from the journal, so there is one truth. A record without an end belongs to a run
that is under way, or to one that was cut off.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nodeward.core import clock
from nodeward.core.files import write_atomic
from nodeward.nodeserver.runbooks import tree
from nodeward.nodeserver.runbooks.course import ENDS, INTERRUPTED
from nodeward.nodeserver.runbooks.session import JOURNAL

RECORD = "record.json"
RUNNING, ASKING, STOPPING = "running", "asking", "stopping"
STATES = (RUNNING, ASKING, STOPPING, *ENDS)
PAGE_BYTES = 512 * 1024
SEARCH_BYTES = 64 * 1024 * 1024


@dataclass
class Record:
    """A run as the journal tells it so far. `about` is what was known when it began."""

    directory: Path
    about: dict[str, Any]
    state: str = RUNNING
    detail: str = ""
    ended: int | None = None
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    ask: dict[str, Any] | None = None
    read: int = 0  # bytes of the journal that were taken in
    last: int = 0  # when something was last written there

    @property
    def id(self) -> str:
        """Its name."""
        return self.directory.name

    @property
    def journal(self) -> Path:
        """Where its journal lies."""
        return self.directory / JOURNAL

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state in ENDS

    def take_in(self) -> bool:
        """Take in what the journal has more. Return whether there was anything."""
        began = self.read
        for event, end in events(self.journal, self.read):
            self._take(event)
            self.read = end
        return self.read > began

    def finish(self, state: str, detail: str) -> None:
        """Write the end that the run's own process could not write."""
        mend(self.journal)
        with self.journal.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"at": clock.now(), "type": "end", "state": state, "detail": detail}) + "\n")
        self.take_in()

    def row(self) -> dict[str, Any]:
        """Return it for people."""
        known = {key: value for key, value in self.about.items() if key not in ("pid", "created")}
        began = self.about["started"]
        return {
            **known, "id": self.id, "state": self.state, "detail": self.detail, "started": clock.rfc3339(began),
            "ended": None if self.ended is None else clock.rfc3339(self.ended),
            "seconds": round(((self.ended or clock.now()) - began) / 1e6, 1),
            "steps": list(self.steps.values()), "ask": self.ask,
        }  # fmt: skip

    def _take(self, event: dict[str, Any]) -> None:
        self.last = event["at"]
        match event["type"]:
            case "begin":
                self.steps = {step["path"]: {**step, "state": "waiting", "detail": ""} for step in event["steps"]}
            case "step":
                step = self.steps.setdefault(event["path"], {"path": event["path"], "title": event["title"]})
                step |= {"state": event["state"], "detail": event.get("detail", "")}
                step["started" if event["state"] == RUNNING else "ended"] = clock.rfc3339(event["at"])
            case "ask":
                self.ask = {key: value for key, value in event.items() if key not in ("at", "type")}
                self.state = ASKING
            case "answered":
                self.ask, self.state = None, RUNNING
            case "stopping":
                self.ask, self.state = None, STOPPING
            case "end":
                self.ask, self.state, self.detail, self.ended = None, event["state"], event["detail"], event["at"]
                if self.state == INTERRUPTED:
                    self._cut_off()

    def _cut_off(self) -> None:
        for step in self.steps.values():
            if step["state"] == RUNNING:
                step |= {"state": "stopped", "detail": self.detail}


def events(journal: Path, after: int, most: int | None = None) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield the whole events behind so many bytes of a journal, each with where it ends; about `most` bytes of them."""
    try:
        with journal.open("rb") as file:
            file.seek(after)
            at = after
            for line in file:
                if not line.endswith(b"\n"):
                    return
                at += len(line)
                try:
                    event = json.loads(line)
                except ValueError:
                    continue  # the place behind it is told by the next one
                yield event, at
                if most is not None and at - after > most:
                    return
    except FileNotFoundError:
        return


def mend(journal: Path) -> None:
    """Cut off a line that was not finished: its writer was killed."""
    try:
        with journal.open("r+b") as file:
            content = file.read()
            whole = content.rfind(b"\n") + 1
            if whole != len(content):
                file.truncate(whole)
    except FileNotFoundError:
        pass  # it was killed before it began


def create(directory: Path, about: dict[str, Any]) -> Record:
    """Begin a record."""
    directory.mkdir(parents=True, mode=0o700)
    keep(directory, about)
    return Record(directory, about)


def keep(directory: Path, about: dict[str, Any]) -> None:
    """Keep what is known of a run."""
    write_atomic(directory / RECORD, json.dumps(about, ensure_ascii=False), mode=0o600)


def load(directory: Path) -> Record | None:
    """Return a record from disk, or None if there is none that could be read."""
    try:
        about = json.loads((directory / RECORD).read_text())
        record = Record(directory, about)
        record.take_in()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record


def under_way(folder: Path) -> list[dict[str, Any]]:
    """Return what is known of each run under `folder` that is under way, also where another process than this one started it."""
    found = []
    for path in sorted(folder.glob(f"*/{RECORD}")):
        try:
            about = json.loads(path.read_text())
        except (OSError, ValueError):
            continue  # it is being given up
        if tree.lives(about) if "pid" in about else _begins(path.parent):
            found.append({**about, "id": path.parent.name})
    return found


def _begins(directory: Path) -> bool:
    """Whether a run without a process is about to get one; one that was cut off before has its end in the journal."""
    kept = load(directory)
    return kept is not None and not kept.over


def remove(record: Record) -> None:
    """Take a record away."""
    shutil.rmtree(record.directory, ignore_errors=True)


def size(record: Record) -> int:
    """Return how much room a record takes."""
    try:
        return record.journal.stat().st_size
    except OSError:
        return 0


def says(record: Record, text: str) -> bool:
    """Whether what a run printed, or what its record has, holds a text (in lower case)."""
    about = json.dumps(record.about, ensure_ascii=False).lower()
    if text in about or text in record.detail.lower():
        return True
    tail = ""
    for event, _ in events(record.journal, 0):
        printed = tail + str(event.get("text", "")).lower()
        if text in printed:
            return True
        tail = printed[-len(text) :] if len(printed) > len(text) else printed
    return False
