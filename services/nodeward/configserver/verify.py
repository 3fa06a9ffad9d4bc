"""Would the registry still be right with these documents in it? Touches nothing; tells every fault at once.

First each document by itself (`schema`), then what holds between objects. What fails the first is left out of the second.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from nodeward.configserver import contacts, plain, render, runbooks
from nodeward.configserver.bundle import reachable
from nodeward.configserver.circles import circle
from nodeward.configserver.documents import Document
from nodeward.configserver.fleet import Fleet
from nodeward.configserver.schema import KINDS, Object
from nodeward.core import checks, runbook_names
from nodeward.core.errors import BadInput, NodewardError, Problem
from nodeward.core.http import problems_of
from nodeward.store.base_registry import Key

Bodies = Mapping[Key, dict[str, Any]]
Fault = Callable[[Key, str, str], None]

# Which keys of a kind name objects of another kind.
REFERENCES = {
    "node": {"contacts": "contact", "parents": "node", "checked_from": "node"},
    "group": {"contacts": "contact"},
    "check": {"contacts": "contact"},
    "contact": {"period": "period"},
    "route": {"contacts": "contact", "period": "period"},
}


@dataclass
class Findings:
    """What came of it: the bodies as they would be, every fault, and which objects were refused."""

    bodies: dict[Key, dict[str, Any]]
    earlier: Fleet | None = None  # that the bodies come from, verified when it came into force
    problems: list[Problem] = field(default_factory=list)
    refused: set[Key] = field(default_factory=set)  # given, and not valid: what names them is not at fault


def applied(present: Bodies, documents: Iterable[Document], earlier: Fleet | None = None) -> dict[Key, dict[str, Any]]:
    """Return the registry's bodies with the documents put in. Raise BadInput with every fault of any of them.

    `earlier` is the fleet of `present`: what it has on a node already is not tried there again.
    """
    findings = Findings(dict(present), earlier)
    places: dict[Key, str] = {}
    for document in documents:
        _put(document, findings, places)
    _between(findings, places)
    return _or_raise(findings)


def removed(present: Bodies, key: Key, earlier: Fleet | None = None) -> dict[Key, dict[str, Any]]:
    """Return the registry's bodies without an object. Raise BadInput if others need it."""
    findings = Findings({other: body for other, body in present.items() if other != key}, earlier)
    _between(findings, {})
    return _or_raise(findings)


def warnings(fleet: Fleet) -> list[Problem]:
    """Return what is odd, though not wrong: a check that no node has, a group that no node is in."""
    found = []
    for (kind, name), body in fleet.bodies.items():
        if kind in ("check", "log") and not fleet.nodes_of(kind, name):
            found.append(Problem(f"{kind} {name}: assign", "no node matches, so nothing comes of it yet"))
        for group in body.get("assign", {}).get("groups") or []:
            if group not in fleet.groups:
                found.append(Problem(f"{kind} {name}: assign.groups", f"no node is in group '{group}' yet"))
    return found


def _or_raise(findings: Findings) -> dict[Key, dict[str, Any]]:
    if findings.problems:
        count = len(findings.problems)
        raise BadInput(f"{count} {'fault' if count == 1 else 'faults'}; nothing was changed.", findings.problems)
    return findings.bodies


def _no_kind(body: object) -> str:
    kind = body.get("kind") if isinstance(body, dict) else None
    if isinstance(kind, str):
        return f"'{kind[:40]}' is no kind; it may be misspelt. There are: {', '.join(KINDS)}"
    return f"it is no object: give it a kind ({', '.join(KINDS)})"


def _put(document: Document, findings: Findings, places: dict[Key, str]) -> None:
    body = document.body
    if not isinstance(body, dict) or not isinstance(body.get("kind"), str) or body["kind"] not in KINDS:
        findings.problems.append(Problem(document.where, _no_kind(body)))
        return
    title = f"{document.where}: {body['kind']} {body.get('name', '(no name)')}"
    if odd := list(plain.faults(body)):
        findings.problems += [Problem(f"{title}: {fault.path}", fault.message) for fault in odd]
        findings.refused.add(Key(body["kind"], str(body.get("name"))))
        return
    try:
        checked = KINDS[body["kind"]].model_validate(body)
    except ValidationError as error:
        findings.problems += [
            Problem(f"{title}: {fault.path}".removesuffix(": "), fault.message)
            for fault in [*problems_of(error), *_own_faults(body)]
        ]
        findings.refused.add(Key(body["kind"], str(body.get("name"))))
        return
    key = Key(checked.kind, checked.name)
    if odd := _among_itself(checked.kind, body):
        findings.problems += [Problem(f"{title}: {fault.path}", fault.message) for fault in odd]
        findings.refused.add(key)
        return
    if key in places:
        findings.problems.append(
            Problem(document.where, f"{key.kind} '{key.name}' is there twice; first at {places[key]}")
        )
        return
    places[key] = document.where
    findings.bodies[key] = _as_given(checked, body)


def _as_given(checked: Object, body: dict[str, Any]) -> dict[str, Any]:
    """Return the object as JSON can have it, with what was left out still left out, and `60s` still `60s`."""
    if checked.kind == "runbook":
        return {**body, "kind": checked.kind}
    dumped = checked.model_dump(mode="json", exclude_unset=True)
    typed = {
        key: body[key] for key, value in dumped.items() if isinstance(value, float) and isinstance(body[key], str | int)
    }
    return {"kind": checked.kind, **dumped, **typed}


def _among_itself(kind: str, body: dict[str, Any]) -> list[Problem]:
    """Return what does not fit together within an object, each part of which is valid."""
    if kind == "contact":
        return list(contacts.faults(body))
    return runbook_names.faults(body) if kind == "runbook" else []


def _own_faults(body: dict[str, Any]) -> list[Problem]:
    """Return the faults that its declaration does not know of, in a document that is wrong elsewhere."""
    return runbook_names.faults(body) if body["kind"] == "runbook" else _argument_faults(body)


def _argument_faults(body: dict[str, Any]) -> list[Problem]:
    """Return the faults of a plugin's arguments in a document that is wrong elsewhere, as far as they can be told."""
    plugin, args = body.get("plugin"), body.get("args")
    tellable = plugin in checks.ARGUMENTS if isinstance(plugin, str) else False
    return checks.faults(plugin, args) if tellable and isinstance(args, dict) and "{{" not in str(args) else []  # type: ignore[arg-type]


def _between(findings: Findings, places: dict[Key, str]) -> None:
    def fault(key: Key, path: str, message: str) -> None:
        where = f"{places[key]}: " if key in places else ""
        findings.problems.append(Problem(f"{where}{key.kind} {key.name}: {path}", message))

    for key, body in findings.bodies.items():
        for path, kind in REFERENCES.get(key.kind, {}).items():
            named = body.get(path) or []
            for name in [named] if isinstance(named, str) else named:
                if Key(kind, name) not in findings.bodies and Key(kind, name) not in findings.refused:
                    fault(key, path, f"there is no {kind} '{name}'")
        if key.kind == "node":
            _ways(findings.bodies, key, body, fault)
        elif key.kind == "runbook":
            for problem in runbooks.between(findings.bodies, findings.refused, key.name):
                fault(key, problem.path, problem.message)
    _instances(findings, fault)


def _ways(bodies: Bodies, key: Key, body: dict[str, Any], fault: Fault) -> None:
    def parents(name: str) -> list[str]:
        return bodies.get(Key("node", name), {}).get("parents") or []

    if way := circle(key.name, parents):
        fault(key, "parents", f"they lead back to itself: {' → '.join(way)}")
    if body.get("checked_from") and not _has_agent(bodies, body["checked_from"]):
        fault(key, "checked_from", f"'{body['checked_from']}' has no node server (agent: false)")


def _instances(findings: Findings, fault: Fault) -> None:
    """Try every check on every node it is for: arguments may depend on the node. One fault per check is enough."""
    fleet = Fleet(findings.bodies, earlier=findings.earlier)
    for key, body in findings.bodies.items():
        probe, prefix = (body, "") if key.kind == "check" else (body.get("check"), "check.")
        if probe is None or key.kind not in ("check", "node"):
            continue
        nodes = [fleet.facts[name] for name in (fleet.nodes_of("check", key.name) if not prefix else [key.name])]
        if findings.earlier is not None and fleet.has_same(findings.earlier, key):
            nodes = [facts for facts in nodes if facts is not findings.earlier.facts.get(facts["name"])]
        else:
            nodes = nodes or [render.SAMPLE]
        for problem in _probe_faults(probe, nodes):
            fault(key, prefix + problem.path, problem.message)


def _probe_faults(probe: dict[str, Any], nodes: list[dict[str, Any]]) -> list[Problem]:
    if not render.depends_on_node(probe):
        nodes = nodes[:1]
    for facts in nodes:
        try:
            filled = render.probe(probe, reachable(facts))
        except NodewardError as error:
            return [Problem("args" if probe.get("plugin") else "command", f"{error.detail} (node {facts['name']})")]
        if probe.get("plugin") and (found := checks.faults(probe["plugin"], filled["args"])):
            return found
    return []


def _has_agent(bodies: Bodies, name: str) -> bool:
    return bool(bodies.get(Key("node", name), {}).get("agent", True))
