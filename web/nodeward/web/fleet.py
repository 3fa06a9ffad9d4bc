"""The whole fleet at a glance: every node's worst state, kept a moment: a page of ten thousand squares costs one question."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from nodeward.core.client import Client
from nodeward.core.states import WORST_FIRST
from nodeward.web.backends import items

Row = dict[str, Any]

NAMES_SECONDS, PROBLEMS_SECONDS = 30.0, 1.0
PAGE = 5000
MOST_PROBLEMS = 5000


@dataclass(frozen=True)
class Square:
    """A node on the map: its first group, its worst state among itself and its services, how many problems it has."""

    node: str
    group: str
    state: str
    problems: int


class Kept:
    """A value that is asked for again when it is older than `seconds`, or was forgotten since it was asked for."""

    def __init__(self, ask: Callable[[], list[Row]], seconds: float) -> None:
        self._ask, self._seconds = ask, seconds
        self._lock = threading.Lock()
        self._value: list[Row] = []
        self._until = float("-inf")
        self._forgotten = 0

    def get(self) -> list[Row]:
        """Return the value. Raise NodewardError if it cannot be asked now."""
        with self._lock:
            if time.monotonic() >= self._until:
                forgotten = self._forgotten
                self._value = self._ask()
                fresh = forgotten == self._forgotten  # else it may be from before the change
                self._until = time.monotonic() + self._seconds if fresh else float("-inf")
            return self._value

    def forget(self) -> None:
        """Something changed: the next one to get the value asks for it anew."""
        self._forgotten += 1
        self._until = float("-inf")


class Fleet:
    """The nodes and their problems. Every person may see all of them, so it is asked by web itself."""

    def __init__(self, monitor: Callable[[], Client]) -> None:
        self._monitor = monitor
        self._nodes = Kept(self._ask_nodes, NAMES_SECONDS)
        self._problems = Kept(self._ask_problems, PROBLEMS_SECONDS)

    def squares(self) -> list[Square]:
        """Return every node, by group and name."""
        return squares(self._nodes.get(), self._problems.get())

    def problems(self) -> list[Row]:
        """Return the problems, worst first, at most MOST_PROBLEMS."""
        return self._problems.get()

    def changed(self) -> None:
        """The monitor told of a change: what is kept of the problems is no longer true."""
        self._problems.forget()

    def _ask_nodes(self) -> list[Row]:
        found: list[Row] = []
        cursor = None
        while True:
            answer = self._monitor().get(
                "/api/v1/states", {"kind": "node", "sort": "node", "limit": PAGE, "cursor": cursor}
            )
            found += ({"node": row["node"], "groups": row.get("groups") or []} for row in items(answer))
            cursor = answer.get("next")
            if cursor is None:
                return found

    def _ask_problems(self) -> list[Row]:
        return items(self._monitor().get("/api/v1/states", {"problems": "true", "limit": MOST_PROBLEMS}))


def worst(states: Iterable[str], otherwise: str = "OK") -> str:
    """Return the worst of some states."""
    return min(states, key=lambda state: WORST_FIRST.index(state) if state in WORST_FIRST else 0, default=otherwise)


def by_node(problems: Iterable[Row]) -> dict[str, list[Row]]:
    """Return the problems of each node that has any."""
    found: dict[str, list[Row]] = {}
    for row in problems:
        found.setdefault(row["node"], []).append(row)
    return found


def squares(nodes: Iterable[Row], problems: Iterable[Row]) -> list[Square]:
    """Given node rows and problem rows, return the map."""
    bad = by_node(problems)
    made = [
        Square(
            row["node"],
            (row.get("groups") or [""])[0],
            worst(each["state"] for each in bad.get(row["node"], [])),
            len(bad.get(row["node"], [])),
        )
        for row in nodes
    ]
    return sorted(made, key=lambda square: (square.group, square.node))


@dataclass(frozen=True)
class Cause:
    """Problems that are probably one: a node that is down with all that hangs on it, or one service on several nodes."""

    row: Row
    others: tuple[Row, ...]

    @property
    def nodes(self) -> int:
        """How many nodes it is on."""
        return len({row["node"] for row in (self.row, *self.others)})

    @property
    def same_service(self) -> bool:
        """Whether the others are the same service elsewhere; else they hang on the first."""
        return bool(self.others) and all(row["service"] == self.row["service"] for row in self.others)


def causes(problems: Iterable[Row]) -> list[Cause]:
    """Given problem rows, worst first, return them by cause, in the same order."""
    rows = list(problems)
    down = {row["node"] for row in rows if row["service"] is None}
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault(_cause_of(row, down), []).append(row)
    made = []
    for group in groups.values():
        first = next((row for row in group if row["service"] is None and not row.get("masked_by")), group[0])
        made.append(Cause(first, tuple(row for row in group if row is not first)))
    return made


def _cause_of(row: Row, down: set[str]) -> tuple[str, str]:
    if row.get("masked_by"):
        return "node", row["masked_by"][0]
    if row["service"] is None or row["node"] in down:
        return "node", row["node"]
    if row.get("acknowledged") or row.get("in_downtime"):
        return "own", f"{row['node']}/{row['service']}"
    return "service", row["service"]
