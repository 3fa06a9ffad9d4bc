"""The registry's objects, ready to look things up in: which nodes there are, and what runs where. Pure."""

import fnmatch
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from nodeward.configserver.assign import matcher
from nodeward.configserver.schema import KINDS
from nodeward.store.base_registry import Key

Facts = dict[str, Any]


class Fleet:
    """One revision of the objects. `changed` tells the revision that last changed each, where that matters."""

    def __init__(self, bodies: Mapping[Key, dict[str, Any]], changed: Mapping[Key, int] | None = None) -> None:
        self.bodies = bodies
        self.changed = changed or {}
        self._full: dict[Key, dict[str, Any]] = {}

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the objects of a kind as they were given, by name."""
        return self._by_kind.get(kind, {})

    def full(self, kind: str, name: str) -> dict[str, Any]:
        """Return an object with every default filled in."""
        key = Key(kind, name)
        if key not in self._full:
            self._full[key] = KINDS[kind].model_validate(self.bodies[key]).model_dump(mode="json")
        return self._full[key]

    @cached_property
    def _by_kind(self) -> dict[str, dict[str, dict[str, Any]]]:
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for key in sorted(self.bodies):
            found.setdefault(key.kind, {})[key.name] = self.bodies[key]
        return found

    @cached_property
    def facts(self) -> dict[str, Facts]:
        """What expressions and templates may know of each node, by name."""
        return {
            name: {
                "name": name,
                "address": body.get("address") or "",
                "agent": body.get("agent", True),
                "groups": list(body.get("groups") or []),
                "labels": dict(body.get("labels") or {}),
                "parents": list(body.get("parents") or []),
            }
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
        matches = self._matchers(kind)[name]
        return [node for node, facts in self.facts.items() if matches(facts)]

    def for_node(self, kind: str, node: str) -> list[str]:
        """Return the names of the checks, or log sources, that a node has."""
        facts = self.facts[node]
        return [name for name, matches in self._matchers(kind).items() if matches(facts)]

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

    def _matchers(self, kind: str) -> dict[str, Callable[[Facts], bool]]:
        if kind not in self._known_matchers:
            self._known_matchers[kind] = {name: matcher(body["assign"]) for name, body in self.of(kind).items()}
        return self._known_matchers[kind]

    @cached_property
    def _known_matchers(self) -> dict[str, dict[str, Callable[[Facts], bool]]]:
        return {}

    def contacts_of(self, node: str) -> list[str]:
        """Return who is told about a node: its own contacts and its groups'."""
        body = self.of("node")[node]
        named = list(body.get("contacts") or [])
        for group in body.get("groups") or []:
            named += self.of("group").get(group, {}).get("contacts") or []
        return list(dict.fromkeys(named))

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
