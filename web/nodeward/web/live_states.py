"""Rooms of states and events: all hang on two cursors of the monitor."""

from collections.abc import Callable

from nodeward.core.client import Client
from nodeward.core.errors import BadInput
from nodeward.core.states import is_problem
from nodeward.web.backends import Backends, items
from nodeward.web.following import Item, Page, Topic
from nodeward.web.live import Live, key

LIMIT = 1000
FILTERS = {"node", "service", "problems"}


def mount(live: Live, backends: Backends, changed: Callable[[], None]) -> None:
    """Register the kinds `states` (filters node, service, problems) and `events` (filters node, service).

    `changed` is called before a browser hears of an event, so that what it asks for then is not older than that.
    """
    follow_states = states_after(lambda: backends.server("monitor"))
    follow_events = events_after(lambda: backends.server("monitor"), changed)

    def states(filters: dict[str, str]) -> Topic:
        return Topic(key("states", filters.items()), "states", "monitor", follow_states, _matcher(filters))

    def events(filters: dict[str, str]) -> Topic:
        return Topic(key("events", filters.items()), "events", "monitor", follow_events, _matcher(filters))

    live.register("states", states)
    live.register("events", events)


def states_after(monitor: Callable[[], Client]) -> Callable[[str | None, float], Page]:
    """Return what follows the monitor's states: `GET states?after=SEQ&wait=`."""

    def follow(after: str | None, wait: float) -> Page:
        if after is None:
            return Page([], str(monitor().get("/api/v1/states", {"limit": 1})["seq"]))
        query = {"after": after, "wait": int(wait), "limit": LIMIT}
        answer = monitor().get("/api/v1/states", query, timeout=wait + 10)
        return Page(items(answer), str(answer["seq"]), reset=bool(answer.get("reset")))

    return follow


def events_after(monitor: Callable[[], Client], changed: Callable[[], None]) -> Callable[[str | None, float], Page]:
    """Return what follows the monitor's events: `GET events?after=&wait=`."""

    def follow(after: str | None, wait: float) -> Page:
        query = {"limit": 1} if after is None else {"after": after, "wait": int(wait), "limit": LIMIT}
        answer = monitor().get("/api/v1/events", query, timeout=wait + 10)
        if items(answer):
            changed()
        return Page([] if after is None else items(answer), str(answer["cursor"]))

    return follow


def _matcher(filters: dict[str, str]) -> Callable[[Item], bool]:
    """Return what says whether a room wants a row. With `problems`, that a problem has ended is news of the room `events`."""
    unknown = filters.keys() - FILTERS
    if unknown:
        there = ", ".join(sorted(FILTERS))
        raise BadInput(f"Rooms of states have no filter {', '.join(sorted(unknown))}; there are {there}.")
    exact = [(name, filters[name]) for name in ("node", "service") if name in filters]

    def wants(row: Item) -> bool:
        return all(row.get(name) == value for name, value in exact) and (
            "problems" not in filters or is_problem(row.get("state", ""))
        )

    return wants
