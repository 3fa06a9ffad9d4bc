"""The live bridge: what the servers have news of, by cursor, reaches the browsers that have it on screen.

The contract, for a kind of room (`live_states`, `live_logs`):

- `live.register(kind, topic)`, where `topic(filters)` returns a `Topic` or raises BadInput with a sentence. Its `key` names
  the room: browsers that ask for the same key share it. Its `source` names what is followed: ONE background task follows a
  source, however many rooms and browsers hang on it, and none while nobody looks. Its `follow(after, wait)` asks the server
  what came after a cursor and waits at most so many seconds for it; `after` None gives where things stand now (with the
  newest few items, if the kind wants to begin with some). `wants(item)` picks a room's items from its source's.
- The browser emits ``join {kind, filters, after}`` and is answered ``{room, seq, items, cursor, skipped, gap}``: what it missed
  since `after`, up to the moment of the join at least (`following`). `gap` is true where that could not be followed: it then
  loads its list anew. Or ``{error}``, a sentence.
- It emits ``leave ROOM`` as often as it joined that room, and awaits each answer before the next step with that room.
- Then come ``frame {room, seq, items, cursor, skipped, gap}``, at most ten a second per room, each of at most MAX_ITEMS items and
  MAX_BYTES; `skipped` counts what did not fit or what the server itself left out (older ones go first). `seq` grows by one;
  a browser that sees it jump has missed a frame. Frames may repeat items of the join's answer: items have ids, and a
  browser's cursor is the largest it was told.
- A browser that does not keep up gets no frames until its queue is short again, then ``missed {room, seq, skipped}``.
- A browser whose session ends is disconnected by the server, and does not come back by itself.
- ``upstream {name: {ok, since, detail}}`` tells which servers answer; it is sent at connecting and whenever that changes.

On the browser's side `assets/lib/live.ts` keeps this contract.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from flask import request
from flask_socketio import SocketIO, disconnect, join_room, leave_room

from nodeward.core import clock
from nodeward.core.errors import BadInput, NodewardError, TooMany
from nodeward.web.auth import Person
from nodeward.web.following import Item, Page, Room, Source, Topic

log = logging.getLogger(__name__)

FRAME_SECONDS = 0.1
WAIT_SECONDS = 20.0
RETRY_SECONDS = 1.0
WATCH_SECONDS = 15.0
MAX_SOURCES = 300
MAX_ROOMS_EACH = 12
LAGGING = 30  # packets that wait for one browser

TopicOf = Callable[[dict[str, str]], Topic]


class Upstreams:
    """Which of the followed servers answer, and since when each does or does not."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Any]] = {}

    def note(self, name: str, detail: str = "") -> bool:
        """Take note that a server answered, or of the sentence that says why not. Return whether that is news."""
        known = self._known.get(name)
        if known and known["ok"] == (not detail):
            return False
        self._known[name] = {"ok": not detail, "since": clock.rfc3339(clock.now()), "detail": detail}
        return known is not None or bool(detail)

    def forget(self, name: str) -> bool:
        """Nobody follows anything of a server any more. Return whether it was said not to answer."""
        known = self._known.pop(name, None)
        return known is not None and not known["ok"]

    def all(self) -> dict[str, dict[str, Any]]:
        """Return what is known of each."""
        return dict(self._known)


class Live:
    """Rooms, their members, and the tasks that follow for them."""

    def __init__(
        self, sockets: SocketIO, person: Callable[[], Person | None], lasts: Callable[[str], bool] = lambda _id: True
    ) -> None:
        self._sockets, self._person, self._lasts = sockets, person, lasts
        self._sessions: dict[str, str] = {}  # of each browser: by which session
        self._watching = False
        self._topics: dict[str, TopicOf] = {}
        self._sources: dict[str, Source] = {}
        self._joined: dict[str, dict[tuple[str, str], int]] = {}  # of each browser: (source, room): how often
        self._lock = threading.RLock()
        self.upstreams = Upstreams()
        sockets.on_event("connect", self._on_connect)
        sockets.on_event("disconnect", self._on_disconnect)
        sockets.on_event("join", self._on_join)
        sockets.on_event("leave", self._on_leave)
        sockets.on_error_default(self._on_error)

    def register(self, kind: str, topic: TopicOf) -> None:
        """Let browsers join rooms of that kind."""
        self._topics[kind] = topic

    # Who may listen

    def end(self, sessions: set[str]) -> None:
        """Disconnect the browsers of sessions that have ended."""
        for sid, session in list(self._sessions.items()):
            if session in sessions:
                server: Any = self._sockets.server
                server.disconnect(sid)

    def look(self) -> bool:
        """Disconnect those whose sessions have ended without a word. Return whether anybody listens."""
        there = set(self._sessions.values())
        self.end({session for session in there if not self._lasts(session)})
        return bool(there)

    def _watch(self) -> None:
        """While anybody listens, look: a browser that only listens asks for nothing, so nobody asks who it is."""
        while self._watching:
            self._sockets.sleep(WATCH_SECONDS)
            self.look()
            with self._lock:
                self._watching = bool(self._sessions)

    # What browsers ask for

    def _on_connect(self, _auth: Any = None) -> bool | None:
        person = self._person()
        if person is None:
            return False
        with self._lock:
            self._sessions[_sid()] = person.session
            watched, self._watching = self._watching, True
        if not watched:
            self._sockets.start_background_task(self._watch)
        self._sockets.emit("upstream", self.upstreams.all(), to=_sid())
        return None

    def _on_disconnect(self, *_reason: Any) -> None:
        sid = _sid()
        self._sessions.pop(sid, None)
        for source, key in self._joined.pop(sid, {}):
            self._drop(sid, source, key)

    def _on_join(self, asked: Any = None, *_more: Any) -> dict[str, Any]:
        if self._person() is None:
            disconnect()
            return {"error": "Your login has ended."}
        try:
            topic = self._topic(asked)
            room, source, new = self._enter(_sid(), topic)
        except NodewardError as error:
            return {"error": error.detail, "status": error.status}
        join_room(topic.key)
        begun = None
        try:
            begun = source.begin(asked.get("after"))
        finally:
            if new:
                self._sockets.start_background_task(self._run, source)
        return self._caught_up(room, source, asked.get("after"), begun)

    def _on_leave(self, key: Any = None, *_more: Any) -> None:
        sid = _sid()
        joined = self._joined.get(sid, {})
        for source, room in [each for each in joined if each[1] == key]:
            joined[source, room] -= 1
            if not joined[source, room]:  # as often as it joined: two parts of a page may look at the same
                del joined[source, room]
                leave_room(room)
                self._drop(sid, source, room)

    def _on_error(self, error: Exception) -> dict[str, Any]:
        log.error("a browser's message failed", exc_info=error)
        return {"error": "Something went wrong here; web's log has the details."}

    def _topic(self, asked: Any) -> Topic:
        if not isinstance(asked, dict) or not isinstance(asked.get("kind"), str):
            raise BadInput("A join names the kind of room.")
        if asked["kind"] not in self._topics:
            raise BadInput(f"There is no kind of room '{asked['kind'][:40]}'.")
        filters = asked.get("filters", {})
        if not isinstance(filters, dict) or not _is_cursor(asked.get("after")):
            raise BadInput("The filters are an object of texts, and the cursor is a whole number as text.")
        return self._topics[asked["kind"]](
            {str(name): str(value) for name, value in filters.items() if value not in (None, "")}
        )

    def _enter(self, sid: str, topic: Topic) -> tuple[Room, Source, bool]:
        """Make a browser a member of a room. Return it with its source, and whether nobody follows that yet."""
        with self._lock:
            joined = self._joined.setdefault(sid, {})
            here = (topic.source, topic.key)
            if here not in joined and len(joined) >= MAX_ROOMS_EACH:
                raise TooMany("This tab follows too many things at once.")
            if topic.source not in self._sources and len(self._sources) >= MAX_SOURCES:
                raise TooMany("Too many different things are followed at once. Close other tabs, or search instead.")
            new = topic.source not in self._sources
            if new:
                self._sources[topic.source] = Source(topic.source, topic.upstream, topic.follow)
            source = self._sources[topic.source]
            room = source.rooms.setdefault(topic.key, Room(topic))
            room.members.add(sid)
            joined[here] = joined.get(here, 0) + 1
            return room, source, new

    def _caught_up(self, room: Room, source: Source, after: str | None, begun: Page | None) -> dict[str, Any]:
        """Return what a browser missed since its cursor, or what there is to begin with; the frames go on from there."""
        answer = {"room": room.topic.key, "seq": room.seq, "items": [], "cursor": after, "skipped": 0, "gap": False}
        try:
            if after is not None:
                page = source.since(after)
            elif begun or source.heard:
                page = begun or source.follow(None, 0)
            else:
                return answer  # its server is away, as `upstream` says; frames bring what there is once it is back
        except NodewardError as error:
            self._note(source.upstream, error.detail)
            return answer
        items, left_out = room.topic.cut(page.items)
        skipped = page.skipped + left_out
        return {**answer, "items": items, "cursor": page.cursor, "skipped": skipped, "gap": page.reset}

    def _drop(self, sid: str, source_name: str, key: str) -> None:
        with self._lock:
            source = self._sources.get(source_name)
            room = source.rooms.get(key) if source else None
            if source is None or room is None:
                return
            room.members.discard(sid)
            room.missed.pop(sid, None)
            if not room.members:
                del source.rooms[key]

    # What the servers have news of

    def _run(self, source: Source) -> None:
        while self._wanted(source):
            began = time.monotonic()
            try:
                page = source.next(WAIT_SECONDS)
            except NodewardError as error:
                self._note(source.upstream, error.detail)
                self._sockets.sleep(RETRY_SECONDS)
                continue
            except Exception:
                log.exception("following %s failed; going on", source.name)
                self._sockets.sleep(RETRY_SECONDS)
                continue
            self._note(source.upstream)
            if page:
                self._spread(source, page)
            self._sockets.sleep(max(0.0, FRAME_SECONDS - (time.monotonic() - began)))

    def _wanted(self, source: Source) -> bool:
        with self._lock:
            wanted = bool(source.rooms)
            if not wanted:
                self._sources.pop(source.name, None)
            others = any(each.upstream == source.upstream for each in self._sources.values())
            was_away = not wanted and not others and self.upstreams.forget(source.upstream)
        if was_away:
            self._sockets.emit("upstream", self.upstreams.all())
        return wanted

    def _spread(self, source: Source, page: Page) -> None:
        with self._lock:
            rooms = list(source.rooms.values())
        for room in rooms:
            items, left_out = room.topic.cut(page.items)
            skipped = page.skipped + left_out
            if items or skipped or page.reset:
                self._emit(room, items, skipped, page)

    def _emit(self, room: Room, items: list[Item], skipped: int, page: Page) -> None:
        room.seq += 1
        lagging = [sid for sid in list(room.members) if self._waiting(sid) > LAGGING]
        for sid in lagging:
            room.missed[sid] = room.missed.get(sid, 0) + sum(map(room.topic.amount, items)) + skipped
        for sid in [sid for sid in room.missed if sid not in lagging]:
            missed = room.missed.pop(sid)
            self._sockets.emit("missed", {"room": room.topic.key, "seq": room.seq - 1, "skipped": missed}, to=sid)
        frame = {
            "room": room.topic.key,
            "seq": room.seq,
            "items": items,
            "cursor": page.cursor,
            "skipped": skipped,
            "gap": page.reset,
        }
        self._sockets.emit("frame", frame, to=room.topic.key, skip_sid=lagging)

    def _waiting(self, sid: str) -> int:
        """Return how many packets wait for a browser."""
        server: Any = self._sockets.server
        connection = server.eio.sockets.get(server.manager.eio_sid_from_sid(sid, "/"))
        return int(connection.queue.qsize()) if connection else 0

    def _note(self, upstream: str, detail: str = "") -> None:
        if self.upstreams.note(upstream, detail):
            self._sockets.emit("upstream", self.upstreams.all())


def _is_cursor(given: Any) -> bool:
    return given is None or (isinstance(given, str) and len(given) < 20 and given.isascii() and given.isdigit())


def _sid() -> str:
    sid: str = request.sid  # type: ignore[attr-defined]
    return sid


def key(kind: str, filters: Iterable[tuple[str, str]]) -> str:
    """Return the name of the room of a kind with those filters, whatever their order."""
    return kind + "?" + "&".join(f"{name}={value}" for name, value in sorted(filters))
