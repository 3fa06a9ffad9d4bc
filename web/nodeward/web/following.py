"""What one background task of the live bridge follows, the rooms that hang on it, and how far they have been told.

A source's cursor says up to where its rooms have been told. It is found before the first browser is answered; a browser that
comes back is told what it missed up to that cursor at least, and the frames go on from there. So nothing falls between the
two, however fast new things come: what comes after a browser has joined is the frames' business, and never a gap.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nodeward.core.errors import NodewardError

Item = dict[str, Any]
Follow = Callable[[str | None, float], "Page"]

MAX_ITEMS = 500
MAX_BYTES = 512 * 1024
CATCH_UP_PAGES = 16


@dataclass(frozen=True)
class Page:
    """What came after a cursor, in order, and the cursor behind it. `skipped` items were left out by the server; `reset` says
    that nobody knows what came since: lists are to be loaded anew. Cursors are whole numbers, as text, and grow."""

    items: list[Item]
    cursor: str
    skipped: int = 0
    reset: bool = False


def _everything(_item: Item) -> bool:
    return True


def _one(_item: Item) -> int:
    return 1


@dataclass(frozen=True)
class Topic:
    """What a room shows: see the contract in `live`. `upstream` is the role of the server that is followed; `amount` says for
    how many things an item stands, where one can tell of several that were left out."""

    key: str
    source: str
    upstream: str
    follow: Follow
    wants: Callable[[Item], bool] = _everything
    amount: Callable[[Item], int] = _one

    def cut(self, items: list[Item]) -> tuple[list[Item], int]:
        """Return the room's own among the items of its source, as many as fit into a frame, and how many were left out."""
        return cap([item for item in items if self.wants(item)], self.amount)


@dataclass
class Room:
    """The browsers that have one thing on screen."""

    topic: Topic
    members: set[str] = field(default_factory=set)
    seq: int = 0
    missed: dict[str, int] = field(default_factory=dict)


@dataclass
class Source:
    """What one background task follows for its rooms.

    `cursor` is None until it is known where things stand. While the server has never answered (`heard`), it is where the
    browser stands that is furthest behind: from there it goes on as soon as there is an answer.
    """

    name: str
    upstream: str
    follow: Follow
    cursor: str | None = None
    heard: bool = False
    rooms: dict[str, Room] = field(default_factory=dict)
    _tried: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, after: str | None) -> Page | None:
        """Find out, once, where things stand; every browser's join calls this first. Return what was found, or None if it is
        known already or the server does not answer: then who joins leaves word from where to go on."""
        with self._lock:
            if self.heard:
                return None
            if self._tried:
                self.cursor = _earlier(self.cursor, after)
                return None
            self._tried = True
            self.cursor = after
            try:
                page = self.follow(None, 0)
            except NodewardError:
                return None
            self.heard, self.cursor = True, page.cursor
            return page

    def since(self, after: str) -> Page:
        """Return what a browser missed since its cursor: up to where the rooms have been told, or beyond.

        `reset` is set where it was too much, or could not be asked.
        """
        if not self.heard:
            return Page([], after)
        return self._followed(after, self.cursor or after)

    def next(self, wait: float) -> Page | None:
        """Wait for what comes next and take note how far that is. Return None if there is nothing to tell of it: a browser
        that is further behind came meanwhile. Raise NodewardError if the server does not answer."""
        before = self.cursor
        page = self.follow(before, wait)
        with self._lock:
            if self.cursor != before:
                return None
            self.heard = self._tried = True
            self.cursor = page.cursor
            return page

    def _followed(self, after: str, until: str) -> Page:
        """Follow from a cursor until another is reached, and not until nothing more comes: under a busy log that is never."""
        items: list[Item] = []
        skipped, cursor = 0, after
        for _ in range(CATCH_UP_PAGES):
            try:
                page = self.follow(cursor, 0)
            except NodewardError:
                if int(cursor) >= int(until):
                    return Page(items, cursor, skipped)
                break
            items += page.items
            skipped += page.skipped
            cursor = page.cursor
            if page.reset:
                break
            if int(cursor) >= int(until):
                return Page(items, cursor, skipped)
        return Page([], until, reset=True)


def _earlier(one: str | None, other: str | None) -> str | None:
    known = [cursor for cursor in (one, other) if cursor is not None]
    return min(known, key=int, default=None)


def cap(
    items: list[Item], amount: Callable[[Item], int] = _one, count: int = MAX_ITEMS, size: int = MAX_BYTES
) -> tuple[list[Item], int]:
    """Return the newest of `items` that fit into `count` and `size` bytes as JSON, and how much was left out."""
    kept = items[-count:]
    room = size - (len(json.dumps(kept)) - 2 * len(kept))
    while room < 0 and len(kept) > 1:
        room += len(json.dumps(kept.pop(0)))
    return kept, sum(map(amount, items[: len(items) - len(kept)]))
