"""What a node gets: the context its files are rendered from, and when it changes. Pure."""

import hashlib
import json
from typing import Any

from nodeward.configserver import render
from nodeward.configserver.fleet import Fleet
from nodeward.store.base_registry import Key

Context = dict[str, Any]


def inputs(fleet: Fleet, node: str) -> tuple[tuple[Key, int], ...]:
    """Return the objects that a node's bundle is made of, each with the revision that last changed it.

    Cheap beside `context`: as long as this is the same, so is the bundle.
    """
    names = [node, *fleet.checked_from(node)]
    keys = {Key("node", name) for name in names}
    keys |= {Key("check", check) for name in names for check in fleet.for_node("check", name)}
    keys |= {Key("log", log) for log in fleet.for_node("log", node)}
    return tuple((key, fleet.changed.get(key, 0)) for key in sorted(keys))


def context(fleet: Fleet, node: str, servers: dict[str, str], heartbeat: float) -> Context:
    """Return what the templates of a node's files are filled with, but for `revision`."""
    facts = fleet.facts[node]
    targets = [node, *fleet.checked_from(node)]
    return {
        "node": {key: facts[key] for key in ("name", "address", "groups", "labels")},
        "servers": servers,
        "heartbeat": heartbeat,
        "checks": [check for target in targets for check in _checks(fleet, target)],
        "sources": [_source(fleet, name) for name in fleet.for_node("log", node)],
    }


def digest(given: Context) -> str:
    """Return the hash of a context: two bundles with the same one say the same."""
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()


def _checks(fleet: Fleet, node: str) -> list[dict[str, Any]]:
    full = fleet.full("node", node)
    own = full["check"] or {"plugin": "alive" if full["agent"] else "ping", "timeout": 10.0}
    timing = {key: full[key] for key in ("interval", "retry", "attempts")}
    found = [_check(fleet, node, None, own, timing)]
    for name in fleet.for_node("check", node):
        check = fleet.full("check", name)
        found.append(_check(fleet, node, name, check, timing_of(check)))
    return found


def timing_of(check: dict[str, Any]) -> dict[str, Any]:
    """Return a check's interval, retry and attempts; a retry that is not given is 15 s, or the interval if that is less."""
    retry = check["retry"] if check["retry"] is not None else min(15.0, check["interval"])
    return {"interval": check["interval"], "retry": retry, "attempts": check["attempts"]}


def _check(
    fleet: Fleet, node: str, service: str | None, probe: dict[str, Any], timing: dict[str, Any]
) -> dict[str, Any]:
    facts = fleet.facts[node]
    filled = render.probe(probe, reachable(facts))
    return {
        "node": node,
        "address": reachable(facts)["address"],
        "service": service,
        **{key: filled[key] for key in ("plugin", "command", "args", "env")},
        **timing,
        "timeout": probe["timeout"],
    }


def reachable(facts: dict[str, Any]) -> dict[str, Any]:
    """Return a node's facts as commands see them: one without an address is reached by its name."""
    return {**facts, "address": facts["address"] or facts["name"]}


def _source(fleet: Fleet, name: str) -> dict[str, Any]:
    log = fleet.full("log", name)
    return {
        "source": name,
        **{key: log[key] for key in ("paths", "exclude", "format", "timezone", "encoding", "fields")},
    }
