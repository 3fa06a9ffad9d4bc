"""The registry's objects, ready to look things up in: which nodes there are, and what runs where. Pure."""

import fnmatch
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeVar

from nodeward.configserver.assign import matcher
from nodeward.configserver.schema import KINDS
from nodeward.store.base_registry import Key

Facts = dict[str, Any]
T = TypeVar("T")

ASSIGNED = ("check", "log")
Matches = dict[str, list[str]]


class Fleet:
    """One revision of the objects. `changed` tells the revision that last changed each, where that matters.

    `earlier` is a fleet that this one came from: what is the same object in both need not be looked at again, so that a
    change costs what it changes. (Bodies are never changed in place.)
    """

    def __init__(
        self,
        bodies: Mapping[Key, dict[str, Any]],
        changed: Mapping[Key, int] | None = None,
        earlier: "Fleet | None" = None,
    ) -> None:
        self.bodies = bodies
        self.changed = changed or {}
        self._full: dict[Key, dict[str, Any]] = {}
        self._prepared: dict[Key, Any] = {}
        if earlier is not None:
            self._full = {key: full for key, full in earlier._full.copy().items() if self.has_same(earlier, key)}
            self._prepared = {
                key: made for key, made in earlier._prepared.copy().items() if self.has_same(earlier, key)
            }
            self.facts = self._facts_after(earlier)
            self._matches = {kind: self._matches_after(earlier, kind) for kind in ASSIGNED}

    def has_same(self, other: "Fleet", key: Key) -> bool:
        """Say whether an object is the same in another fleet."""
        body = self.bodies.get(key)
        return body is not None and body is other.bodies.get(key)

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the objects of a kind as they were given, by name."""
        return self._by_kind.get(kind, {})

    def full(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object with every default filled in."""
        key = Key(kind, name)
        if key not in self._full:
            self._full[key] = KINDS[kind].model_validate(self.bodies[key]).model_dump(mode="json")
        return self._full[key]

    def prepared(self, key: Key, prepare: Callable[[dict[str, Any]], T]) -> T:
        """Return what `prepare` makes of a whole object, made once for as long as the object stays the same."""
        if key not in self._prepared:
            self._prepared[key] = prepare(self.full(*key))
        made: T = self._prepared[key]
        return made

    @cached_property
    def _by_kind(self) -> dict[str, dict[str, dict[str, Any]]]:
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for key in sorted(self.bodies):
            found.setdefault(key.kind, {})[key.name] = self.bodies[key]
        return found

    @cached_property
    def facts(self) -> dict[str, Facts]:
        """What expressions and templates may know of each node, by name."""
        return {name: _facts(name, body) for name, body in self.of("node").items()}

    def _facts_after(self, earlier: "Fleet") -> dict[str, Facts]:
        return {
            name: earlier.facts[name] if self.has_same(earlier, Key("node", name)) else _facts(name, body)
            for name, body in self.of("node").items()
        }

    @cached_property
    def groups(self) -> dict[str, list[str]]:
        """The names of each group's nodes; a group is there once a node or an object names it."""
        found: dict[str, list[str]] = {name: [] for name in self.of("group")}
        for name, facts in self.facts.items():
            for group in facts["groups"]:
                found.setdefault(group, []).append(name)
        return found

    def nodes_of(self, kind: str, name: str) -> list[str]:
        """Return the names of the nodes that a check or log source is for."""
        return self._matches[kind][name]

    def for_node(self, kind: str, node: str) -> list[str]:
        """Return the names of the checks, or log sources, that a node has."""
        return self._by_node[kind].get(node, [])

    @cached_property
    def _matches(self) -> dict[str, Matches]:
        return {
            kind: {name: _matching(body["assign"], self.facts) for name, body in self.of(kind).items()}
            for kind in ASSIGNED
        }

    def _matches_after(self, earlier: "Fleet", kind: str) -> Matches:
        fresh = {name: facts for name, facts in self.facts.items() if facts is not earlier.facts.get(name)}
        gone = fresh.keys() | (earlier.facts.keys() - self.facts.keys())
        found: Matches = {}
        for name, body in self.of(kind).items():
            if not self.has_same(earlier, Key(kind, name)):
                found[name] = _matching(body["assign"], self.facts)
            elif gone:
                kept = [node for node in earlier.nodes_of(kind, name) if node not in gone]
                found[name] = sorted([*kept, *_matching(body["assign"], fresh)])
            else:
                found[name] = earlier.nodes_of(kind, name)
        return found

    @cached_property
    def _by_node(self) -> dict[str, Matches]:
        found: dict[str, Matches] = {}
        for kind, matches in self._matches.items():
            by_node = found[kind] = {}
            for name, nodes in matches.items():
                for node in nodes:
                    by_node.setdefault(node, []).append(name)
        return found

    def checked_from(self, node: str) -> list[str]:
        """Return the nodes without a node server that `node` checks."""
        return self._checked_from.get(node, [])

    @cached_property
    def _checked_from(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, body in self.of("node").items():
            if body.get("checked_from"):
                found.setdefault(body["checked_from"], []).append(name)
        return found

    def contacts_of(self, node: str) -> list[str]:
        """Return who is told about a node: its own contacts and its groups'."""
        body = self.of("node")[node]
        named = list(body.get("contacts") or [])
        for group in body.get("groups") or []:
            named += self.of("group").get(group, {}).get("contacts") or []
        return list(dict.fromkeys(named))

    def delivery(self, node: str, default: str) -> str:
        """Return how a change reaches a node, pull or rollout: as it says itself, else its groups, else `default`."""
        body = self.of("node")[node]
        if body.get("delivery"):
            return str(body["delivery"])
        said = {self.of("group").get(group, {}).get("delivery") for group in body.get("groups") or []}
        return "rollout" if "rollout" in said else "pull" if "pull" in said else default

    def find(
        self,
        name: str | None = None,
        address: str | None = None,
        group: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> list[str]:
        """Return the nodes for which everything given is true; a name may hold * and ?."""
        return [
            node
            for node, facts in self.facts.items()
            if (name is None or fnmatch.fnmatchcase(node, name))
            and (address is None or facts["address"] == address)
            and (group is None or group in facts["groups"])
            and (not labels or labels.items() <= facts["labels"].items())
        ]


def _facts(name: str, body: Mapping[str, Any]) -> Facts:
    return {
        "name": name,
        "address": body.get("address") or "",
        "agent": body.get("agent", True),
        "groups": list(body.get("groups") or []),
        "labels": dict(body.get("labels") or {}),
        "parents": list(body.get("parents") or []),
    }


def _matching(assign: Mapping[str, Any], nodes: Mapping[str, Facts]) -> list[str]:
    matches = matcher(assign)
    return [name for name, facts in nodes.items() if matches(facts)]
