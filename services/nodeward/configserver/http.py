"""The config server's HTTP face: puts the routes together. Their rooms: `http_objects`, `http_nodes`,
`http_people`, `http_delivery`, `http_rollouts`, `http_tickets`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flask import Response, g, jsonify, request
from flask_openapi3 import OpenAPI

from nodeward.configserver.bundles import Bundles
from nodeward.configserver.credentials import Credentials
from nodeward.configserver.people import People
from nodeward.configserver.registry import Outcome, Registry
from nodeward.configserver.rollout.delivery import Delivery
from nodeward.configserver.rollout.nodes import Nodes
from nodeward.configserver.rollout.room import Room
from nodeward.configserver.throttle import Throttle
from nodeward.configserver.tickets import Issuer
from nodeward.core import clock, http
from nodeward.core.auth import NODE, OPERATOR, SERVICE
from nodeward.core.http import SECURITY, needs, principal
from nodeward.core.refusals import REFUSE, Refusals, Refused
from nodeward.store.base_registry import Change, Deed
from nodeward.supervise.http import mount as mount_programs


@dataclass(frozen=True)
class Parts:
    """What the routes work with."""

    registry: Registry
    bundles: Bundles
    credentials: Credentials
    people: People
    throttle: Throttle
    servers: dict[str, str]
    enrolment_key: Path
    var: Path
    delivery: Delivery
    nodes: Nodes
    room: Room
    tickets: Issuer
    now: Callable[[], int] = clock.now


def create(parts: Parts, refusals: Refusals) -> OpenAPI:
    """Return the config server's app."""
    from nodeward.configserver import (
        http_delivery,
        http_nodes,
        http_objects,
        http_people,
        http_rollouts,
        http_tickets,
    )
    from nodeward.configserver.forms import NumberedPage, Refusal

    shelf = parts.registry.shelf
    app = http.create(
        "configserver", "config server", parts.credentials, lambda: list(filter(None, [shelf.trouble()])), refusals
    )
    app.before_request(lambda: parts.credentials.proven(g.principal.token) if "principal" in g else None)
    http_objects.mount(app, parts)
    http_nodes.mount(app, parts)
    http_people.mount(app, parts)
    http_delivery.mount(app, parts)
    http_rollouts.mount(app, parts)
    http_tickets.mount(app, parts)
    mount_programs(app, parts.var)

    @app.get("/api/v1/audit", summary="Who did what, newest first", security=SECURITY)
    @needs(OPERATOR)
    def audit(query: NumberedPage) -> Response:
        deeds = parts.registry.shelf.deeds(query.cursor, query.limit)
        rows = [
            {
                "id": deed.id,
                "time": clock.rfc3339(deed.at),
                "who": deed.who,
                "via": deed.via,
                "address": deed.address,
                "action": deed.action,
                "what": deed.what,
            }
            for deed in deeds
        ]
        return jsonify(items=rows, next=deeds[-1].id if len(deeds) == query.limit else None)

    @app.post("/api/v1/refusals", summary="Whom another server refused", security=SECURITY)
    @needs(SERVICE, NODE)
    def refused(body: Refusal) -> Response:
        refusals.hear(Refused(body.who, body.address, body.what, via=principal().name))
        return jsonify(noted=True)

    return app


def note_refused(parts: Parts, refused: Refused) -> None:
    """Add to the audit list that somebody was refused, here or at another server."""
    deed = Deed(
        at=parts.now(), who=refused.who, via=refused.via, address=refused.address, action=REFUSE, what=refused.what
    )
    parts.registry.shelf.note(deed)


def note(parts: Parts, action: str, what: str, who: str | None = None, via: str | None = None) -> None:
    """Add to the audit list what the one who is asking has just done; or `who`, by way of `via`."""
    asker = None if who else principal()
    parts.registry.shelf.note(
        Deed(
            at=parts.now(),
            who=who or (asker.name if asker else ""),
            via=asker.via if asker else via,
            address=(asker.address if asker else None) or request.remote_addr,
            action=action,
            what=what,
        )
    )


def note_revision(parts: Parts, outcome: Outcome) -> None:
    """Add to the audit list that somebody made a revision; who was taken away with it has no way in any more."""
    for change in outcome.changes:
        if change.after is None and change.key.kind == "user":
            parts.people.forget(change.key.name)
        elif change.after is None and change.key.kind == "node":
            parts.credentials.end(change.key.name)
            parts.delivery.forget(change.key.name)
    if outcome.changes:
        note(parts, "configure", f"revision {outcome.revision}: {in_short(outcome.changes)}")


def in_short(changes: list[Change], shown: int = 5) -> str:
    """Return changes as words: ``create node a, delete check b and 3 more``."""
    words = ", ".join(f"{each.action} {each.key.kind} {each.key.name}" for each in changes[:shown])
    return words + (f" and {len(changes) - shown} more" if len(changes) > shown else "")
