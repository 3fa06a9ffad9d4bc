"""The contract of the state shelf: where the monitor keeps what it knows.

The monitor decides in memory and hands over a `Change`; the shelf makes it durable. One process writes. What every
backend keeps:

- `write` returns only once the whole change is durable; if it raises, or the process is killed meanwhile, a later `load`
  shows all of the change or nothing of it. Writing the same change again alters nothing.
- Ids and sequence numbers are given out by the monitor and only grow; the shelf never makes one.
- A flip and the state it led to are in the same change, so that neither is ever seen without the other.

Documents (`dict`) are JSON objects; the shelf looks only at the keys named below. A node's own state has service None.
Times are microseconds since 1970.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Key = tuple[str, str | None]
Doc = dict[str, Any]

WAITING, SENDING = "waiting", "sending"  # the statuses in which a delivery is not over
HELD = "held"  # with WAITING: the statuses in which a flip is not over


@dataclass(frozen=True, slots=True)
class Point:
    """One measured value; `value` is None where the plugin said U."""

    node: str
    service: str | None
    label: str
    unit: str
    warning: str
    critical: str
    time: int
    value: float | None


@dataclass
class Change:
    """What one transaction makes durable. Every mapping is an upsert by its key."""

    states: dict[Key, Doc] = field(default_factory=dict)
    removed: set[Key] = field(default_factory=set)
    events: list[Doc] = field(default_factory=list)  # id, at, type, node, service, …
    flips: dict[int, Doc] = field(default_factory=dict)  # id, node, service, status, …
    deliveries: dict[int, Doc] = field(default_factory=dict)  # id, flip, status, lease, …
    downtimes: dict[int, Doc] = field(default_factory=dict)  # id, until, …
    cursors: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)  # (next sequence number, when)
    points: list[Point] = field(default_factory=list)
    meta: dict[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(vars(self).values())


@dataclass
class Loaded:
    """What the monitor begins with: all states and cursors, and the flips, deliveries and downtimes that are not over."""

    states: list[Doc]
    flips: list[Doc]
    deliveries: list[Doc]
    downtimes: list[Doc]
    cursors: dict[tuple[str, str], tuple[int, int]]
    meta: dict[str, Any]
    last_event: int
    last_delivery: int
    last_downtime: int


@dataclass(frozen=True)
class EventQuery:
    """Which events are wanted: `after` an id in the order they were written, else newest first, before `before`."""

    after: int | None = None
    before: int | None = None
    node: str | None = None
    service: str | None = None
    own: bool = False  # of the node itself alone, none of its services'
    types: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    limit: int = 100


@dataclass
class Series:
    """The values of one label of one service over time. A point is [time, value], or [time, average, minimum, maximum]."""

    label: str
    unit: str
    warning: str
    critical: str
    points: list[list[float | None]]


@dataclass(frozen=True)
class Retention:
    """How long each thing is kept, in microseconds."""

    raw: int
    five_minutes: int
    hours: int
    events: int


class StateShelf(Protocol):
    """What the monitor needs of a store. Every method may be called from any thread."""

    def load(self) -> Loaded:
        """Return all that the monitor begins with."""

    def write(self, change: Change) -> None:
        """Make `change` durable, wholly or not at all. Raise StoreFull or Unavailable if that is not possible now."""

    def events(self, query: EventQuery) -> list[Doc]:
        """Return the events wanted, ascending by id with `after`, else descending."""

    def state_events(self, key: Key, since: int, until: int) -> list[Doc]:
        """Return the state events of one node or service within the range and the last one before it, in order of time."""

    def flips(self, before: int | None, node: str | None, service: str | None, limit: int) -> list[Doc]:
        """Return flips, newest first, each with its `deliveries`."""

    def told(self, key: Key, after: int) -> list[str]:
        """Return the contacts who were sent a flip of `key` whose id is `after` or higher."""

    def series(self, key: Key, since: int, until: int, step: int | None = None) -> list[Series]:
        """Return the series of one service within the range: raw points, or those of `step` seconds (300 or 3600)."""

    def series_rows(self) -> Iterator[Doc]:
        """Yield all series as rows for a backup: each `series`, then its packed `chunk`s and its fresh `points`."""

    def put_series_rows(self, rows: Sequence[Doc]) -> None:
        """Store rows that `series_rows` of any backend gave, in its order. Doing so again changes nothing."""

    def compact(self, now: int) -> bool:
        """Pack some of the points that are old enough. Return whether there were any: call again then."""

    def expire(self, now: int, keep: Retention) -> None:
        """Delete what is older than `keep` says; what is not over stays."""

    def size(self) -> int:
        """Return how many bytes it takes on disk."""

    def trouble(self) -> str:
        """Return in a sentence why the engine cannot be used just now, or "" if it can."""

    def close(self) -> None:
        """Let go of the engine; what was written stays."""


def wanted(event: Doc, query: EventQuery) -> bool:
    """Say whether an event fits the query, its place and limit aside."""
    return (
        (query.node is None or event["node"] == query.node)
        and (query.service is None or event["service"] == query.service)
        and (not query.own or event["service"] is None)
        and (not query.types or event["type"] in query.types)
        and (query.since is None or event["at"] >= query.since)
        and (query.until is None or event["at"] < query.until)
    )


def chosen(events: Sequence[Doc], query: EventQuery) -> list[Doc]:
    """Return what `query` wants out of events in ascending order: for followers that hold the newest in memory."""
    fitting = [event for event in events if wanted(event, query) and (query.after is None or event["id"] > query.after)]
    return fitting[: query.limit]
