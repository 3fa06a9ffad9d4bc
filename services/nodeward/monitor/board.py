"""What the monitor knows, in memory, and how it changes: a draft is written to the shelf, then it becomes the board."""

from collections import ChainMap, deque
from collections.abc import MutableMapping
from dataclasses import replace
from typing import Any

from nodeward.core.news import News
from nodeward.monitor import states
from nodeward.monitor.deadlines import Deadlines
from nodeward.monitor.definitions import Fleet
from nodeward.monitor.downtimes import Calendar, Downtime
from nodeward.monitor.flips import Delivery, Flip
from nodeward.monitor.states import State
from nodeward.store.base_states import WAITING, Change, Doc, Key, Loaded, Point

Cursor = tuple[int, int]
_REMOVED_KEPT = 10_000
_EVENTS_KEPT = 1_000


class Board:
    """The present. Only the writer changes it; readers take `lock` for what must fit together."""

    def __init__(self, loaded: Loaded) -> None:
        self.lock = News()
        self.fleet = Fleet()
        self.states: dict[Key, State] = {state.key: state for state in map(states.from_doc, loaded.states)}
        self.flips = {doc["id"]: Flip(**doc) for doc in loaded.flips}
        self.deliveries = {doc["id"]: _unsent(Delivery(**doc)) for doc in loaded.deliveries}
        self.downtimes = {doc["id"]: Downtime(**doc) for doc in loaded.downtimes if not doc["ended"]}
        self.calendar = Calendar(self.downtimes.values())
        self.cursors = loaded.cursors
        self.meta = loaded.meta
        self.last_event = max(loaded.last_event, loaded.meta.get("last_event", 0))
        self.last_delivery, self.last_downtime = loaded.last_delivery, loaded.last_downtime
        self.seq: int = max([loaded.meta.get("seq", 0), *(state.seq for state in self.states.values())])
        self.unsaved: set[Key] = set()
        self.deadlines = Deadlines()
        for state in self.states.values():
            self.deadlines.plan(state.key, state.deadline)
        self.events: deque[Doc] = deque(maxlen=_EVENTS_KEPT)
        self.events_from = self.last_event  # what `events` holds follows this id without a gap
        self.removed: deque[tuple[int, Key]] = deque(maxlen=_REMOVED_KEPT)
        self.removed_from = self.seq
        self._by_seq: dict[Key, None] = dict.fromkeys(
            state.key for state in sorted(self.states.values(), key=lambda state: state.seq)
        )

    def look(self, key: Key) -> State | None:
        """Return the state of a node or service."""
        return self.states.get(key)

    def publish(self, draft: "Draft") -> None:
        """Take over what a draft holds, once it is durable, and wake those who wait for news."""
        with self.lock:
            self._take_states(draft)
            _take_open(self.flips, draft.flips.maps[0])
            _take_open(self.deliveries, draft.deliveries.maps[0])
            if draft.downtimes.maps[0]:
                _take_open(self.downtimes, draft.downtimes.maps[0])
                self.calendar = draft.calendar
            self.cursors.update(draft.cursors.maps[0])
            self.meta.update(draft.meta)
            self.fleet = draft.fleet
            self.seq, self.last_event = draft.seq, draft.last_event
            self.last_delivery, self.last_downtime = draft.last_delivery, draft.last_downtime
            for event in draft.events:
                if len(self.events) == _EVENTS_KEPT:
                    self.events_from = self.events[0]["id"]
                self.events.append(event)
            self.lock.notify_all()

    def changed_since(self, seq: int, limit: int) -> tuple[list[State], list[Key], int]:
        """Return what changed after `seq`, oldest first: (states, keys removed, the sequence number that covers these)."""
        with self.lock:
            found = []
            for key in reversed(self._by_seq):
                state = self.states[key]
                if state.seq <= seq:
                    break
                found.append(state)
            found = found[::-1][:limit]
            reached = found[-1].seq if len(found) == limit else self.seq
            gone = [key for at, key in self.removed if seq < at <= reached]
            return found, gone, reached

    def knows_since(self, seq: int) -> bool:
        """Say whether all that changed after `seq` can still be told."""
        return self.removed_from <= seq <= self.seq

    def _take_states(self, draft: "Draft") -> None:
        for key, state in draft.states.maps[0].items():
            self.states[key] = state
            self.deadlines.plan(key, state.deadline)
            if key in draft.quiet:
                self.unsaved.add(key)
            else:
                self.unsaved.discard(key)
                self._by_seq.pop(key, None)
                self._by_seq[key] = None
        for key, seq in draft.removed.items():
            self.states.pop(key, None)
            self._by_seq.pop(key, None)
            self.unsaved.discard(key)
            if len(self.removed) == _REMOVED_KEPT:
                self.removed_from = self.removed[0][0]
            self.removed.append((seq, key))


def _unsent(delivery: Delivery) -> Delivery:
    """Nobody sends it now: whoever did ended with the process that ran before."""
    return replace(delivery, status=WAITING, lease=None)


def _take_open(known: MutableMapping[int, Any], changed: MutableMapping[int, Any]) -> None:
    for number, each in changed.items():
        if each.is_open:
            known[number] = each
        else:
            known.pop(number, None)


class Draft:
    """Changes on top of a board, or of another draft, that nobody else sees yet. `now` is µs since 1970."""

    def __init__(self, base: "Board | Draft", now: int) -> None:
        self.now = now
        self.fleet: Fleet = base.fleet
        self.states: ChainMap[Key, State] = _over(base.states)
        self.flips: ChainMap[int, Flip] = _over(base.flips)
        self.deliveries: ChainMap[int, Delivery] = _over(base.deliveries)
        self.downtimes: ChainMap[int, Downtime] = _over(base.downtimes)
        self.cursors: ChainMap[tuple[str, str], Cursor] = _over(base.cursors)
        self.calendar: Calendar = base.calendar
        self.quiet: set[Key] = set()
        self.removed: dict[Key, int] = {}
        self.events: list[Doc] = []
        self.points: list[Point] = []
        self.meta: dict[str, Any] = {}
        self.seq: int = base.seq
        self.last_event: int = base.last_event
        self.last_delivery: int = base.last_delivery
        self.last_downtime: int = base.last_downtime
        self._base = base

    def look(self, key: Key) -> State | None:
        """Return the state of a node or service as it stands in this draft."""
        state = self.states.get(key)
        if state is None or key in self.removed:
            return None
        if isinstance(self._base, Draft) and key in self._base.removed and key not in self.states.maps[0]:
            return None
        return state

    def put(self, state: State) -> None:
        """Set a state; everybody who follows is told."""
        self.seq += 1
        self.states[state.key] = replace(state, seq=self.seq)
        self.quiet.discard(state.key)
        self.removed.pop(state.key, None)

    def put_quietly(self, state: State) -> None:
        """Set a state of which only a sign of life is new: it is told and stored a little later, with others."""
        if state.key not in self.states.maps[0]:
            self.quiet.add(state.key)
        self.states[state.key] = state

    def touch(self, key: Key) -> None:
        """Tell those who follow that the row of `key` has changed, though its state has not."""
        if state := self.look(key):
            self.put(state)

    def remove(self, key: Key) -> None:
        """Take a node or service off the board; its history stays."""
        self.seq += 1
        self.removed[key] = self.seq
        self.states.maps[0].pop(key, None)
        self.quiet.discard(key)

    def record(self, kind: str, key: Key, at: int | None = None, /, **details: Any) -> int:
        """Add an event to the history and return its id."""
        self.last_event += 1
        moment = self.now if at is None else at
        self.events.append(
            {"id": self.last_event, "at": moment, "type": kind, "node": key[0], "service": key[1], **details}
        )
        return self.last_event

    def plan(self, downtime: Downtime) -> None:
        """Set a downtime."""
        self.downtimes[downtime.id] = downtime
        self.calendar = Calendar(each for each in self.downtimes.values() if not each.ended)

    def merge(self, inner: "Draft") -> None:
        """Take over what a draft on top of this one holds."""
        for key, state in inner.states.maps[0].items():
            if key in inner.quiet:
                self.put_quietly(state)
            else:
                self.states[key] = state
                self.quiet.discard(key)
            self.removed.pop(key, None)
        for key in inner.removed:
            self.states.maps[0].pop(key, None)
        self.removed.update(inner.removed)
        self.flips.update(inner.flips.maps[0])
        self.deliveries.update(inner.deliveries.maps[0])
        self.downtimes.update(inner.downtimes.maps[0])
        self.cursors.update(inner.cursors.maps[0])
        self.events += inner.events
        self.points += inner.points
        self.meta.update(inner.meta)
        self.fleet, self.calendar = inner.fleet, inner.calendar
        self.seq, self.last_event = inner.seq, inner.last_event
        self.last_delivery, self.last_downtime = inner.last_delivery, inner.last_downtime

    def change(self) -> Change:
        """Return what is to be made durable."""
        return Change(
            states={key: state.doc() for key, state in self.states.maps[0].items() if key not in self.quiet},
            removed=set(self.removed),
            events=self.events,
            flips={number: flip.doc() for number, flip in self.flips.maps[0].items()},
            deliveries={number: each.doc() for number, each in self.deliveries.maps[0].items()},
            downtimes={number: each.doc() for number, each in self.downtimes.maps[0].items()},
            cursors=dict(self.cursors.maps[0]),
            points=self.points,
            meta=self.meta,
        )


def _over(base: Any) -> Any:
    return base.new_child() if isinstance(base, ChainMap) else ChainMap({}, base)
