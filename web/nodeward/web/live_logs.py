"""Live lines, as a kind of room of the live bridge: one follow of the log server for each distinct question.

Filters, normalised, are the question; browsers that ask the same share its room, its task and its frames. An item of a frame
is ``{"line": […]}`` (log_lines.Line) or ``{"gap": {"skipped", "from", "to"}}``, which stands in place of lines that were left
out: its range of time holds them, so a search finds exactly them. Nothing is left out uncounted.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from nodeward.core import clock
from nodeward.core.client import Client
from nodeward.core.errors import BadInput, NodewardError
from nodeward.web.backends import Backends
from nodeward.web.following import Item, Page, Topic
from nodeward.web.live import Live
from nodeward.web.log_lines import Frame, line

FILTERS = ("node", "source", "host", "ident", "level", "q", "regex")
MOST_CHARS = 4096  # of all filters together
NEWEST = 300  # lines that a browser begins with
PAGE = 1000  # lines of one answer of the log server
WAIT_SECONDS = 2.0  # of one long poll: for so long a question that nobody asks any more can keep a thread there busy
DRAIN_SECONDS = 0.1  # for so long a burst is gathered before its newest lines are sent
MINUTE = 60_000_000  # µs: how far back lines that nobody looked at may lie, where nothing says it better
MOST_CATCH_UP = 20  # pages that are read for one who comes back

Filters = Mapping[str, str]


def mount(live: Live, backends: Backends) -> None:
    """Let browsers join rooms of the kind `logs`."""

    def client() -> Client:
        # A room is shared: it reaches as far as the least of those who may watch it.
        return backends.server("logserver").acting_for("live", "viewer")

    def topic(given: Filters) -> Topic:
        filters = normalised(given)
        check(client, filters)
        name = room(filters)
        return Topic(name, name, "logserver", Follower(client, filters), amount=amount)

    live.register("logs", topic)


def normalised(given: Filters) -> dict[str, str]:
    """Given filters as a browser sends them, return those of the question. Raise BadInput if they are none of ours."""
    unknown = sorted(set(given) - set(FILTERS))
    if unknown:
        raise BadInput(f"There is no filter {', '.join(map(repr, unknown))}; there are {', '.join(FILTERS)}.")
    if sum(map(len, given.values())) > MOST_CHARS:
        raise BadInput(f"The filters are longer than {MOST_CHARS} characters.")
    cleaned = {name: text if name == "regex" else text.strip() for name, text in given.items()}
    return {name: cleaned[name] for name in FILTERS if cleaned.get(name)}


def check(client: Callable[[], Client], filters: Filters) -> None:
    """Raise BadInput, in one sentence, if the log server cannot make sense of the question: a wrong pattern, an open quote."""
    if not {"q", "regex", "level"} & set(filters):
        return
    try:
        client().get("/api/v1/follow", {**filters, "limit": 1})
    except BadInput as error:
        raise BadInput(" ".join([error.detail, *(str(problem) for problem in error.problems)])) from None
    except NodewardError:
        pass  # it is away: the bridge says so, and follows when it is back


def room(filters: Filters) -> str:
    """Return the name of a question's room: short, and another one for every other question."""
    return "logs?" + hashlib.sha256(json.dumps(filters, sort_keys=True).encode()).hexdigest()[:20]


class Follower:
    """Follows one question. Called with a cursor, it gives the page of what came after it, in the order of arrival."""

    def __init__(
        self, client: Callable[[], Client], filters: Filters, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._client, self._filters, self._monotonic = client, filters, monotonic

    def __call__(self, after: str | None, wait: float) -> Page:
        """Return what came after `after`: at once if there is something, else within `wait` seconds. None: the newest lines."""
        frame = Frame()
        if after is None:
            answer = self._ask(None, 0, NEWEST)
            frame.add(map(line, answer["items"]), most=NEWEST)
            return Page(_items(frame), str(answer["cursor"]))
        return self._drained(after, min(wait, WAIT_SECONDS), frame)

    def _drained(self, cursor: str, wait: float, frame: Frame) -> Page:
        until = None
        for _ in range(MOST_CATCH_UP):
            answer = self._ask(cursor, wait, PAGE)
            _gather(frame, answer)
            cursor, wait = str(answer["cursor"]), 0
            until = until or self._monotonic() + DRAIN_SECONDS
            if len(answer["items"]) < PAGE or self._monotonic() >= until:
                break
        return Page(_items(frame), cursor)

    def _ask(self, after: str | None, wait: float, limit: int) -> dict[str, Any]:
        question = {**self._filters, "after": after, "wait": wait, "limit": limit}
        answer: dict[str, Any] = self._client().get("/api/v1/follow", question, timeout=wait + 10)
        return answer


def _gather(frame: Frame, answer: dict[str, Any]) -> None:
    """Add an answer; what the log server itself passed over lies just before its first line."""
    lines = [line(row) for row in answer["items"]]
    if answer["skipped"]:
        until = lines[0][1] if lines else clock.rfc3339(clock.now())
        since = frame.lines[-1][1] if frame.lines else clock.rfc3339(clock.parse_rfc3339(until) - MINUTE)
        frame.miss(answer["skipped"], min(since, until), until)
    frame.add(lines)


def amount(item: Item) -> int:
    """Return how many lines an item stands for: a gap for those that were left out in its place."""
    return int(item["gap"]["skipped"]) if "gap" in item else 1


def _items(frame: Frame) -> list[Item]:
    gap = frame.gap()
    return [*([{"gap": gap}] if gap else []), *({"line": one} for one in frame.lines)]
