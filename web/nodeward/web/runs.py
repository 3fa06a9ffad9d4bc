"""The runs of a whole fleet: every node that keeps some is asked for its own, and the answers are put together."""

import math
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from nodeward.core import told
from nodeward.web import backends
from nodeward.web.backends import items
from nodeward.web.faults import Asked
from nodeward.web.views import all_at_once

Row = dict[str, Any]
LIMIT = 100  # runs on a page
MOST_NODES = 500  # … that are asked for one page
MOST_NAMED = 6
QUICK_SECONDS = 4.0  # for one node
PATIENCE = 6.0  # for all of them together
NODES_A_SECOND = 20  # how many an open page asks when it looks again


class Past(NamedTuple):
    """Runs, newest first. `silent` are the nodes that did not tell theirs and why, `left_out` so many were not asked at all."""

    rows: list[Row]
    following: str | None = None
    silent: dict[str, str] = {}  # noqa: RUF012 - never changed
    asked: int = 0
    left_out: int = 0

    @property
    def seconds(self) -> int:
        """After how long a page that shows them looks again."""
        return max(5, math.ceil(self.asked / NODES_A_SECOND))

    @property
    def sentences(self) -> list[str]:
        """What is to be said of the silent ones: each by itself, or very many in one sentence."""
        if len(self.silent) <= 3:
            return [f"The runs of {name} are missing: {why}" for name, why in self.silent.items()]
        names = list(self.silent)
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        named = f"The runs of {len(names)} nodes are missing: {', '.join(names[:MOST_NAMED])}{more}"
        return [f"{named}. The first of them: {self.silent[names[0]]}"]


def past(query: dict[str, str], nodes: list[Row], down: Iterable[str] = ()) -> Past:
    """Return the runs that are asked for; `query` has what a node server knows, and `node` for a part of the nodes' names.

    Those that are `down` are not waited for, unless one of them was named.
    """
    wanted = matching(nodes, query.get("node", ""))
    chosen, left_out = wanted[:MOST_NODES], max(0, len(wanted) - MOST_NODES)
    away = set(down) if len(chosen) > 1 else set()
    more = {key: value for key, value in query.items() if key != "node"} | {"limit": LIMIT}
    until = time.monotonic() + PATIENCE
    asks = {node["name"]: _asking(node, more, until) for node in chosen if node["name"] not in away}
    answers = all_at_once(asks)
    silent = {node["name"]: "It is DOWN." for node in chosen if node["name"] in away}
    silent |= {name: each.error for name, each in answers.items() if each.error}
    rows = [row for each in answers.values() for row in items(each.value)]
    shown = sorted(rows, key=lambda row: str(row["id"]), reverse=True)[:LIMIT]
    goes_on = len(rows) > LIMIT or any(each.value.get("next") for each in answers.values())
    return Past(shown, shown[-1]["id"] if goes_on else None, silent, len(asks), left_out)


def matching(nodes: list[Row], text: str) -> list[Row]:
    """Return the node of that name, else those whose names hold the text."""
    exactly = [node for node in nodes if node["name"] == text]
    return exactly or [node for node in nodes if text.lower() in node["name"].lower()]


def _asking(node: Row, query: Row, until: float) -> Callable[[], Asked]:
    def ask() -> Row:
        return told.runs(node["name"], backends.node_of(node).get("/api/v1/runs", query, timeout=QUICK_SECONDS))

    def in_time() -> Asked:
        asked = Asked(ask if time.monotonic() < until else dict, {})
        if time.monotonic() >= until and not asked.value:
            asked.error = asked.error or "The others took too long."
        return asked

    return in_time
