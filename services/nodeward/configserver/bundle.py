"""What a node gets: the context its files are rendered from, and when it changes. Pure."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from nodeward.configserver import render
from nodeward.configserver.fleet import Fleet
from nodeward.configserver.render import Written
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
    rest = {key: value for key, value in given.items() if key != "checks"}
    rows = [json.dumps(rest, sort_keys=True), *map(render.written, given["checks"])]
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _checks(fleet: Fleet, node: str) -> list[Written]:
    full, facts = fleet.full("node", node), reachable(fleet.facts[node])
    target = _part({"node": facts["name"], "address": facts["address"]})
    own = full["check"] or {"plugin": "alive" if full["agent"] else "ping", "timeout": 10.0}
    found = [target.joined(_part({"service": None, **_filled(own, facts), **_timing(full), "timeout": own["timeout"]}))]
    for name in fleet.for_node("check", node):
        found.append(target.joined(fleet.prepared(Key("check", name), _prepared)(facts)))
    return found


def _prepared(check: dict[str, Any]) -> Callable[[dict[str, Any]], Written]:
    """Return what gives a check's part of a row for a node: one that does not depend on the node is made once."""

    def part(facts: dict[str, Any]) -> Written:
        return _part(
            {"service": check["name"], **_filled(check, facts), **timing_of(check), "timeout": check["timeout"]}
        )

    if render.depends_on_node(check):
        return part
    same = part(render.SAMPLE)
    return lambda _: same


def _part(given: dict[str, Any]) -> Written:
    return Written(given, render.written(given))


def _timing(node: dict[str, Any]) -> dict[str, Any]:
    return {key: node[key] for key in ("interval", "retry", "attempts")}


def timing_of(check: dict[str, Any]) -> dict[str, Any]:
    """Return a check's interval, retry and attempts; a retry that is not given is 15 s, or the interval if that is less."""
    retry = check["retry"] if check["retry"] is not None else min(15.0, check["interval"])
    return {"interval": check["interval"], "retry": retry, "attempts": check["attempts"]}


def _filled(probe: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    filled = render.probe(probe, facts)
    return {key: filled[key] for key in ("plugin", "command", "args", "env")}


def reachable(facts: dict[str, Any]) -> dict[str, Any]:
    """Return a node's facts as commands see them: one without an address is reached by its name."""
    return {**facts, "address": facts["address"] or facts["name"]}


def _source(fleet: Fleet, name: str) -> dict[str, Any]:
    log = fleet.full("log", name)
    source = {
        "source": name,
        **{key: log[key] for key in ("paths", "exclude", "format", "timezone", "encoding", "fields")},
    }
    return source if log["multiline"] is None else {**source, "multiline": log["multiline"]}
