"""The rollouts that there were, each with what happened: `<id>.json`, `<id>.events` (a line each), `<id>.log` (Ansible's words).

Files, because they are written by one and read by few; events are on disk before anybody is told of them.
"""

import json
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nodeward.core import clock
from nodeward.core.errors import NotFound
from nodeward.core.files import write_atomic
from nodeward.core.news import News

Row = dict[str, Any]

RUNNING, DONE, FAILED, ABORTED, LOST = "running", "done", "failed", "aborted", "lost"
IN_MEMORY = 5000
OUTPUT_BYTES = 256 * 1024
KEPT = 500  # rollouts; then the oldest go


class Records:
    """Every rollout. `add`, `note` and `change` are durable when they return."""

    def __init__(self, directory: Path, now: Callable[[], int] = clock.now) -> None:
        self._directory, self._now = directory, now
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._news = News()
        self._rows = {row["id"]: row for row in map(_read, directory.glob("*.json")) if row}
        last = self.events(max(self._rows)) if self._rows else []
        self._recent: deque[Row] = deque(last, maxlen=IN_MEMORY)
        self._seq = last[-1]["seq"] if last else 0

    def all(self) -> list[Row]:
        """Return every rollout, newest first."""
        return [self._rows[number] for number in sorted(self._rows, reverse=True)]

    def get(self, number: int) -> Row:
        """Return a rollout. Raise NotFound if there is none of that number."""
        row = self._rows.get(number)
        if row is None:
            raise NotFound(f"There is no rollout {number}.")
        return row

    def running(self) -> Row | None:
        """Return the one that runs, if one does."""
        return next((row for row in self._rows.values() if row["state"] == RUNNING), None)

    def add(self, who: str, **more: Any) -> Row:
        """Begin a rollout."""
        with self._news:
            number = max(self._rows, default=0) + 1
            row = {
                "id": number, "state": RUNNING, "who": who, "started": clock.rfc3339(self._now()), "ended": None,
                "reason": "", "aborted_by": None, "nodes": {}, **more,
            }  # fmt: skip
            self._put(row)
            self._append(number, {"type": "started", "who": who})
            for old in sorted(self._rows)[:-KEPT]:
                self._remove(old)
        return row

    def node(self, number: int, node: str, state: str, **more: Any) -> None:
        """Note how far a node is."""
        with self._news:
            row = self.get(number)
            known = {key: value for key, value in more.items() if key != "diff"}
            standing = {**row["nodes"].get(node, {}), "state": state, **known, "at": clock.rfc3339(self._now())}
            self._put({**row, "nodes": {**row["nodes"], node: standing}})
            self._append(number, {"type": "node", "node": node, "state": state, **more})

    def change(self, number: int, **more: Any) -> Row:
        """Change what a rollout says of itself, for example that it was aborted."""
        with self._news:
            row = self._put({**self.get(number), **more})
            self._append(number, {"type": "changed", **more})
        return row

    def end(self, number: int, state: str, reason: str = "") -> Row:
        """End a rollout; one that has ended stays as it ended."""
        with self._news:
            row = self.get(number)
            if row["state"] != RUNNING:
                return row
            row = self._put({**row, "state": state, "reason": reason, "ended": clock.rfc3339(self._now())})
            self._append(number, {"type": "ended", "state": state, "reason": reason})
        return row

    def events(self, number: int, after: int = 0) -> list[Row]:
        """Return what happened in a rollout after an event, in order."""
        try:
            lines = self.path(number, "events").read_text().splitlines()
        except OSError:
            return []
        return [row for line in lines if (row := _parsed(line)) and row["seq"] > after]

    def since(self, after: int | None, wait: float) -> tuple[list[Row], int, bool]:
        """Return the events of all rollouts after one, waiting so long for any; the last number; whether some are missing."""
        with self._news:
            if after is None:
                return [], self._seq, False
            self._news.heard(lambda: self._seq > after, wait)
            first = self._recent[0]["seq"] if self._recent else self._seq + 1
            return (
                [row for row in self._recent if row["seq"] > after],
                self._seq,
                after + 1 < first or after > self._seq,
            )

    def output(self, number: int) -> str:
        """Return the end of what Ansible said."""
        self.get(number)
        try:
            text = self.path(number, "log").read_bytes()[-OUTPUT_BYTES:]
        except OSError:
            return ""
        return text.decode("utf-8", "replace")

    def path(self, number: int, what: str) -> Path:
        """Return where something of a rollout lies."""
        return self._directory / f"{number:08d}.{what}"

    def _put(self, row: Row) -> Row:
        write_atomic(self.path(row["id"], "json"), json.dumps(row))
        self._rows = {**self._rows, row["id"]: row}
        return row

    def _append(self, number: int, event: Row) -> None:
        self._seq += 1
        row = {"seq": self._seq, "rollout": number, "at": clock.rfc3339(self._now()), **event}
        with self.path(number, "events").open("a") as file:
            file.write(json.dumps(row) + "\n")
        self._recent.append(row)
        self._news.notify_all()

    def _remove(self, number: int) -> None:
        self._rows = {key: row for key, row in self._rows.items() if key != number}
        for what in ("json", "events", "log"):
            self.path(number, what).unlink(missing_ok=True)


def _read(path: Path) -> Row | None:
    row = _parsed(path.read_text(errors="replace"))
    return row if row and isinstance(row.get("id"), int) else None


def _parsed(text: str) -> Row | None:
    try:
        row: Row = json.loads(text)
    except ValueError:
        return None  # half a line, from when the power went
    return row
