"""Routes of the objects and their history."""

import re
from typing import Any

from flask import Response, jsonify, request
from flask_openapi3 import OpenAPI

from nodeward.configserver import documents, forms
from nodeward.configserver.discretion import shown
from nodeward.configserver.documents import Document
from nodeward.configserver.fleet import Fleet
from nodeward.configserver.parts import Parts, note_revision
from nodeward.configserver.registry import Outcome
from nodeward.core import clock
from nodeward.core.auth import ADMIN, OPERATOR, VIEWER
from nodeward.core.errors import BadInput, NotAllowed, NotSeen, Problem
from nodeward.core.http import SECURITY, needs, principal
from nodeward.store.base_registry import Change, Key, Revision

_TAG = re.compile(r'(?:W/)?("?)([0-9]{1,15})\1')
_YAML_BODY = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "string"}} for kind in ("application/yaml", "application/json")},
    }
}


def mount(app: OpenAPI, parts: Parts) -> None:
    """Add the routes."""
    registry = parts.registry

    @app.get("/api/v1/objects/<kind>", summary="The objects of a kind", security=SECURITY)
    @needs(VIEWER)
    def list_objects(path: forms.KindPath, query: forms.ObjectsQuery) -> Response:
        snapshot = registry.snapshot
        names = [
            name for name in sorted(snapshot.fleet.of(path.kind)) if _wanted(snapshot.fleet, path.kind, name, query)
        ]
        names = [name for name in names if query.cursor is None or name > query.cursor]
        shown = names[: query.limit]
        rows = [_row(snapshot.fleet, path.kind, name) for name in shown]
        return jsonify(items=rows, next=shown[-1] if len(names) > len(shown) else None, revision=snapshot.revision)

    @app.get("/api/v1/objects/<kind>/<name>", summary="One object", security=SECURITY)
    @needs(VIEWER)
    def get_object(path: forms.ObjectPath) -> Response:
        snapshot = registry.snapshot
        snapshot.get(Key(path.kind, path.name))
        answer = jsonify(_row(snapshot.fleet, path.kind, path.name))
        answer.set_etag(str(snapshot.revision))
        return answer

    @app.put(
        "/api/v1/objects/<kind>/<name>", summary="Make an object, or put a whole one in its place", security=SECURITY
    )
    @needs(OPERATOR)
    def put_object(path: forms.ObjectPath) -> Response:
        body = request.get_json(silent=True)
        if not isinstance(body, dict):
            raise BadInput("The body is not a JSON object: send the object's keys.")
        body = {"kind": path.kind, "name": path.name, **body}
        if (body["kind"], body["name"]) != (path.kind, path.name):
            raise BadInput(f"The body names {body['kind']} '{body['name']}', the URL {path.kind} '{path.name}'.")
        _nothing_unseen(registry.snapshot.fleet.bodies.get(Key(path.kind, path.name)), body)
        return _answer(_apply([Document("", 1, body)], "", False))

    @app.delete("/api/v1/objects/<kind>/<name>", summary="Take an object away", security=SECURITY)
    @needs(OPERATOR)
    def delete_object(path: forms.ObjectPath) -> Response:
        key = Key(path.kind, path.name)
        _may_change([path.kind])
        outcome = registry.remove(key, principal().name, expected=_expected())
        note_revision(parts, outcome)
        return _answer(outcome)

    @app.post(
        "/api/v1/apply", summary="Put documents in, as one revision", security=SECURITY, openapi_extensions=_YAML_BODY
    )
    @needs(OPERATOR)
    def apply(query: forms.ApplyQuery) -> Response:
        given = documents.read(_text(), query.file)
        if not given:
            raise BadInput("There is no document in it.", [Problem("", "send objects, each with kind and name")])
        return _answer(_apply(given, query.why, query.dry_run))

    @app.get("/api/v1/revisions", summary="The history, newest first", security=SECURITY)
    @needs(VIEWER)
    def revisions(query: forms.NumberedPage) -> Response:
        found = registry.shelf.revisions(query.cursor, query.limit)
        rows = [_revision(each) for each in found]
        return jsonify(
            items=rows, next=found[-1].number if len(found) == query.limit and found[-1].number > 1 else None
        )

    @app.get("/api/v1/revisions/<int:number>", summary="One revision", security=SECURITY)
    @needs(VIEWER)
    def revision(path: forms.NumberPath) -> Response:
        return jsonify(_revision(registry.revision(path.number)))

    @app.post("/api/v1/revisions/<int:number>/restore", summary="Go back to a revision", security=SECURITY)
    @needs(OPERATOR)
    def restore(path: forms.NumberPath) -> Response:
        users_then = {change.key.kind for number in _since(path.number) for change in registry.revision(number).changes}
        _may_change(users_then)
        outcome = registry.restore(path.number, principal().name)
        note_revision(parts, outcome)
        return _answer(outcome)

    def _since(number: int) -> range:
        return range(number + 1, registry.snapshot.revision + 1)

    def _apply(given: list[Document], why: str, dry_run: bool) -> Outcome:
        _may_change([each.body.get("kind") for each in given if isinstance(each.body, dict)])
        outcome = registry.apply(given, principal().name, why, dry_run=dry_run, expected=_expected())
        if not dry_run:
            note_revision(parts, outcome)
        return outcome


def _wanted(fleet: Fleet, kind: str, name: str, query: forms.ObjectsQuery) -> bool:
    body = fleet.of(kind)[name]
    if query.q and query.q.lower() not in f"{name} {body.get('description', '')} {body.get('address', '')}".lower():
        return False
    groups = body.get("groups") if kind == "node" else body.get("assign", {}).get("groups")
    if query.group and query.group not in (groups or []):
        return False
    return forms.labels(query.label).items() <= (body.get("labels") or {}).items()


def _row(fleet: Fleet, kind: str, name: str) -> dict[str, Any]:
    return shown(kind, fleet.bodies[Key(kind, name)], principal()) or {}


def _text() -> str:
    try:
        return request.get_data().decode()
    except UnicodeDecodeError as error:
        raise BadInput(f"The body is not UTF-8 (byte {error.start}).") from None


def _expected() -> int | None:
    """Return the revision that the caller saw (If-Match), if it says."""
    given = request.headers.get("If-Match", "*").strip()
    if given == "*":
        return None
    found = _TAG.fullmatch(given)
    if found is None:
        raise BadInput(f'If-Match is {given!r}; it must be a revision\'s number, such as "12".')
    return int(found[2])


def _nothing_unseen(present: dict[str, Any] | None, given: dict[str, Any]) -> None:
    """Raise NotSeen if an object would lose keys at the hands of somebody who does not say which revision they saw."""
    lost = sorted((present or {}).keys() - given.keys())
    if lost and _expected() is None:
        raise NotSeen(
            f"PUT takes the whole object: {given['kind']} '{given['name']}' would lose {', '.join(lost)}; nothing was changed. "
            'Send those too, or say by If-Match: "REVISION" (the ETag of GET) that you saw them.',
            [Problem(key, "is there now, and would be gone") for key in lost],
        )


def _may_change(kinds: Any) -> None:
    """Users are the administrators' business."""
    if "user" in kinds and not principal().reaches((ADMIN,)):
        raise NotAllowed(f"'{principal().name}' is {principal().role}; changing users needs {ADMIN}.")


def _answer(outcome: Outcome) -> Response:
    answer = jsonify(
        revision=outcome.revision,
        changes=_changes(outcome.changes),
        warnings=[{"path": each.path, "message": each.message} for each in outcome.warnings],
    )
    answer.set_etag(str(outcome.revision))
    return answer


def _revision(revision: Revision) -> dict[str, Any]:
    return {
        "revision": revision.number,
        "when": clock.rfc3339(revision.at),
        "who": revision.who,
        "why": revision.why,
        "changes": _changes(revision.changes),
    }


def _changes(changes: list[Change]) -> list[dict[str, Any]]:
    return [
        {
            "action": each.action,
            **each.key._asdict(),
            "before": shown(each.key.kind, each.before, principal()),
            "after": shown(each.key.kind, each.after, principal()),
        }
        for each in changes
    ]
