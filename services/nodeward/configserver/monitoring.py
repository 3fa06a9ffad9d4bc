"""What the monitor needs to know of the whole fleet. Pure."""

from typing import Any

from nodeward.configserver.bundle import timing_of
from nodeward.configserver.fleet import Fleet


def document(fleet: Fleet, revision: int) -> dict[str, Any]:
    """Return the `monitoring` document (docs/where-things-are.md)."""
    checks = {name: fleet.full("check", name) for name in fleet.of("check")}
    return {
        "revision": revision,
        "nodes": [_node(fleet, name) for name in fleet.facts],
        "services": [
            _service(fleet, node, name, checks[name]) for node in fleet.facts for name in fleet.for_node("check", node)
        ],
        "contacts": _plain(fleet, "contact", ("email", "urls", "period")),
        "periods": _plain(fleet, "period", ("timezone", "ranges")),
        "routes": _plain(fleet, "route", ("match", "contacts", "period")),
    }


def _node(fleet: Fleet, name: str) -> dict[str, Any]:
    node = fleet.full("node", name)
    timeout = node["check"]["timeout"] if node["check"] else 10.0
    keys = ("name", "agent", "groups", "labels", "parents", "checked_from", "interval", "retry", "attempts", "notify")
    return {
        **{key: node[key] for key in keys},
        "address": node["address"] or "",
        "timeout": timeout,
        "contacts": fleet.contacts_of(name),
    }


def _service(fleet: Fleet, node: str, name: str, check: dict[str, Any]) -> dict[str, Any]:
    return {
        "node": node,
        "service": name,
        **timing_of(check),
        **{key: check[key] for key in ("timeout", "volatile", "notify")},
        "contacts": list(dict.fromkeys([*fleet.contacts_of(node), *check["contacts"]])),
    }


def _plain(fleet: Fleet, kind: str, keys: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{"name": name, **{key: fleet.full(kind, name)[key] for key in keys}} for name in fleet.of(kind)]
