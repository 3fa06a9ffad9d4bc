"""What should run where: the objects, how they came to be, and changing them."""

import difflib
import re
from typing import Any

import yaml
from flask import Blueprint, Response, abort, g, jsonify, request, url_for

from nodeward.core.errors import BadInput, NodewardError
from nodeward.web import backends
from nodeward.web.backends import items
from nodeward.web.faults import Asked
from nodeward.web.views import given, page

blueprint = Blueprint("configuration", __name__)

Row = dict[str, Any]
KINDS = {
    "node": "Nodes", "group": "Groups", "check": "Checks", "log": "Log sources", "contact": "Contacts", "route": "Routes",
    "period": "Time periods", "runbook": "Runbooks", "user": "Users",
}  # fmt: skip
LIMIT = 200
NEW = {
    "node": "kind: node\nname: web-1\naddress: 10.0.0.11\ngroups: [linux]\n",
    "group": "kind: group\nname: linux\n",
    "check": "kind: check\nname: disk-root\nassign: {groups: [linux]}\nplugin: disk\n"
    "args: {path: /, warning: 80, critical: 90}\ninterval: 60s\n",
    "log": "kind: log\nname: auth\nassign: {groups: [linux]}\npaths: [/var/log/auth.log]\nformat: syslog\n",
    "contact": "kind: contact\nname: on-call\nemail: on-call@example.org\n",
    "route": "kind: route\nname: everything\nmatch: {}\ncontacts: [on-call]\n",
    "period": "kind: period\nname: office-hours\ntimezone: Europe/Berlin\nranges: {monday: ['09:00-17:00']}\n",
    "user": "kind: user\nname: someone\nrole: viewer\n",
}


@blueprint.get("/configuration")
@blueprint.get("/configuration/<kind>")
def show(kind: str = "node") -> str:
    """The objects of a kind."""
    if kind not in KINDS:
        abort(404)
    query = {"limit": LIMIT, **given("q", "cursor")}
    answer = Asked(lambda: backends.config().get(f"/api/v1/objects/{kind}", query), {"items": []})
    rows = [each.get("object", each) for each in items(answer.value)]
    following = answer.value.get("next") if isinstance(answer.value, dict) else None
    return page(
        "configuration.html", kind=kind, kinds=KINDS, rows=rows, answer=answer, following=following, summary=in_short
    )


@blueprint.get("/configuration/<kind>/<name>")
def one(kind: str, name: str) -> str:
    """One object as YAML, to read or to change; `+new` is one to be."""
    if kind not in KINDS:
        abort(404)
    if name == "+new":
        text = NEW.get(kind, f"kind: {kind}\nname: \n")
    else:
        found = backends.config().get(f"/api/v1/objects/{kind}/{name}")
        text = as_yaml({"kind": kind, **found.get("object", found)})
    return page("object.html", kind=kind, kinds=KINDS, name=name, text=text, new=name == "+new")


@blueprint.post("/configuration/apply")
def apply() -> Response:
    """Try (`dry_run`) or make a change; the answer tells what it changes, or every fault with its line."""
    asked = request.get_json(silent=True) or {}
    text, dry = asked.get("text"), bool(asked.get("dry_run"))
    if not isinstance(text, str):
        raise BadInput("Send the documents as `text`.")
    try:
        answer = _applied(text, dry, str(asked.get("why") or "")[:500])
    except NodewardError as error:
        if not error.problems:
            raise
        faults = [
            {"path": each.path, "message": each.message, "line": line_of(text, each.path)} for each in error.problems
        ]
        answer_ = jsonify(detail=error.detail, errors=faults, status=error.status, title=error.title)
        answer_.status_code = error.status
        return answer_
    changes = [
        {**_named(change), "diff": diff(change.get("before"), change.get("after"))} for change in answer["changes"]
    ]
    return jsonify(revision=answer.get("revision"), changes=changes, message=_said(answer, len(changes)))


@blueprint.post("/configuration/delete")
def delete() -> Response:
    """Take an object away."""
    asked = request.get_json(silent=True) or {}
    kind, name = str(asked.get("kind", "")), str(asked.get("name", ""))
    if kind not in KINDS or not name:
        raise BadInput("Name what is to be deleted.")
    backends.config().delete(f"/api/v1/objects/{kind}/{name}")
    return jsonify(message=f"Deleted {kind} '{name}'.", url=url_for("configuration.show", kind=kind))


@blueprint.get("/revisions")
def revisions() -> str:
    """Who changed what, newest first."""
    query = {"limit": 50, **given("cursor")}
    answer = Asked(lambda: backends.config().get("/api/v1/revisions", query), {"items": []})
    following = answer.value.get("next") if isinstance(answer.value, dict) else None
    return page("revisions.html", answer=answer, rows=items(answer.value), following=following, kinds=KINDS)


@blueprint.get("/revisions/<int:number>")
def revision(number: int) -> str:
    """What one revision changed."""
    found = backends.config().get(f"/api/v1/revisions/{number}")
    changes = [
        {**_named(each), "diff": diff(each.get("before"), each.get("after"))} for each in found.get("changes", [])
    ]
    return page("revision.html", revision=found, number=number, changes=changes, kinds=KINDS)


@blueprint.post("/revisions/<int:number>/restore")
def restore(number: int) -> Response:
    """Make the configuration what it was then; that is a new revision."""
    answer = backends.config().post(f"/api/v1/revisions/{number}/restore") or {}
    made = answer.get("revision")
    return jsonify(
        message=f"Revision {number} is in force again, as revision {made}.", url=url_for("configuration.revisions")
    )


def as_yaml(value: Any) -> str:
    """Return a value as YAML in the order it came; short lists stay on one line."""
    if value is None:
        return ""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text


class _Dumper(yaml.SafeDumper):
    """As people write fleets: lists and maps of plain values on one line where they are short."""

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        short = all(not isinstance(each, list | dict) for each in sequence) and len(str(sequence)) < 80
        return super().represent_sequence(tag, sequence, flow_style=short)


def diff(before: Row | None, after: Row | None) -> list[tuple[str, str]]:
    """Return what changed between two objects as lines: (``added`` | ``removed`` | ``same``, text)."""
    old, new = as_yaml(before).splitlines(), as_yaml(after).splitlines()
    kinds = {"+": "added", "-": "removed", " ": "same"}
    return [(kinds[line[0]], line[2:]) for line in difflib.ndiff(old, new) if line[0] in kinds]


def in_short(row: Row) -> str:
    """Return what an object says beside its kind and name, on one line."""
    rest = {key: value for key, value in row.items() if key not in ("kind", "name") and value not in (None, [], {}, "")}
    text = re.sub(r"\s+", " ", yaml.safe_dump(rest, default_flow_style=True, sort_keys=False, width=10_000)).strip()
    return text.strip("{} ")


def line_of(text: str, path: str) -> int | None:
    """Return the line (from 1) of `text` that a fault's path points at, such as ``check disk-root: args.warning``."""
    number = re.match(r"line (\d+)", path)
    if number:
        return int(number[1])
    key = re.split(r"[.:\s]+", re.sub(r"\[[^]]*\]", "", path).strip())[-1]
    for place, line in enumerate(text.splitlines(), 1):
        if key and re.match(rf"\s*(?:- )?[\"']?{re.escape(key)}[\"']?\s*:", line):
            return place
    return None


def _applied(text: str, dry: bool, why: str) -> Row:
    client = backends.config()
    answer = client.request(
        "POST", "/api/v1/apply", body=text.encode(), query={"dry_run": "true" if dry else None, "why": why or None},
        headers={"Content-Type": "application/yaml"}, timeout=30.0,
    )  # fmt: skip
    found: Row = answer.json()
    return found


def _named(change: Row) -> Row:
    return {"action": change["action"], "kind": change["kind"], "name": change["name"]}


def _said(answer: Row, changes: int) -> str:
    if not changes:
        return "Nothing would change: it is so already."
    return f"Applied by {g.person.name} as revision {answer.get('revision')}."
