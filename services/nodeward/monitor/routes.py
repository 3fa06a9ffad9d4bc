"""Whom a problem concerns: the contacts of the service, else of its node, and those of every route that matches."""

from fnmatch import fnmatchcase

from nodeward.monitor import periods
from nodeward.monitor.definitions import Contact, Fleet, Node, Route
from nodeward.store.base_states import Key


def contacts(fleet: Fleet, key: Key, state: str, at: int) -> list[Contact]:
    """Return the contacts to tell that `key` is `state` at the moment `at`, each once, in order of name."""
    node = fleet.nodes.get(key[0])
    if node is None:
        return []
    service = fleet.services.get(key)
    names = set((service.contacts if service else ()) or node.contacts)
    for route in fleet.routes:
        if matches(route, node, key[1], state) and _is_open(fleet, route.period, at):
            names.update(route.contacts)
    return [fleet.contacts[name] for name in sorted(names & fleet.contacts.keys())]


def matches(route: Route, node: Node, service: str | None, state: str) -> bool:
    """Say whether a route is for this. What it does not name does not matter; `services` never match a node itself."""
    match = route.match
    return (
        (not match.groups or bool(set(match.groups) & set(node.groups)))
        and all(node.labels.get(name) == value for name, value in match.labels.items())
        and (not match.nodes or any(fnmatchcase(node.name, pattern) for pattern in match.nodes))
        and (not match.services or (service is not None and any(fnmatchcase(service, p) for p in match.services)))
        and (not match.states or state in match.states)
    )


def opens(fleet: Fleet, contact: Contact, at: int) -> int | None:
    """Return when the contact may be told: `at` itself within their hours, None if their hours never come."""
    period = fleet.periods.get(contact.period or "")
    return at if period is None else periods.next_start(period, at)


def _is_open(fleet: Fleet, name: str | None, at: int) -> bool:
    period = fleet.periods.get(name or "")
    return period is None or periods.contains(period, at)
