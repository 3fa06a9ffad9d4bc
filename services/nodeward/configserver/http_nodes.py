"""Routes of the look-ups and the nodes: where things are, who they are, what each node gets."""

import threading
from collections.abc import Callable
from typing import Any

from flask import Response, g, jsonify, request
from flask_openapi3 import OpenAPI

from nodeward.configserver import audit, forms, inventory, monitoring
from nodeward.configserver.answers import document, tagged
from nodeward.configserver.documents import Document
from nodeward.configserver.parts import Parts, note
from nodeward.configserver.registry import Registry, Snapshot
from nodeward.core.auth import NODE, OPERATOR, SERVICE, VIEWER
from nodeward.core.bundle import TOLD
from nodeward.core.errors import NotFound
from nodeward.core.http import SECURITY, needs, principal
from nodeward.store.base_registry import Key


def mount(app: OpenAPI, parts: Parts) -> None:
    """Add the routes."""
    registry = parts.registry
    whole_fleet = PerRevision(registry, lambda snapshot: monitoring.document(snapshot.fleet, snapshot.revision))

    @app.get("/api/v1/servers", summary="Where the servers are", security=SECURITY)
    @needs(VIEWER, NODE)
    def servers() -> Response:
        return tagged(*document(parts.servers))

    @app.get("/api/v1/credentials", summary="Who has which token, as hashes", security=SECURITY)
    @needs(SERVICE, NODE)
    def credentials() -> Response:
        return tagged(*parts.credentials.document())

    @app.get("/api/v1/monitoring", summary="What the monitor needs to know", security=SECURITY)
    @needs(SERVICE)
    def monitored() -> Response:
        return tagged(*whole_fleet.get())

    @app.get("/api/v1/find", summary="Find nodes", security=SECURITY)
    @needs(VIEWER, NODE)
    def find(query: forms.FindQuery) -> Response:
        fleet = registry.snapshot.fleet
        names = fleet.find(query.name, query.address, query.group, forms.labels(query.label))
        return jsonify(items=[fleet.facts[name] for name in names], next=None)

    @app.get("/api/v1/inventory", summary="The fleet for Ansible", security=SECURITY)
    @needs(VIEWER)
    def ansible() -> Response:
        return jsonify(inventory.document(registry.snapshot.fleet, parts.delivery.default))

    @app.get("/api/v1/nodes/<name>/bundle", summary="The files of a node's configuration", security=SECURITY)
    @needs(OPERATOR, NODE)
    def bundle(path: forms.NodePath, query: forms.BundleQuery) -> Response:
        principal().must_speak_for(path.name)
        if query.revision is not None:
            return tagged(parts.bundles.as_of(path.name, query.revision))
        if principal().role == NODE:
            parts.delivery.hear(path.name, request.headers.get(TOLD))
            return tagged(*parts.delivery.handed(path.name))
        kept = parts.bundles.get(path.name)
        return tagged(kept.body, kept.etag)

    @app.get("/api/v1/runbooks/<name>", summary="A runbook, for the node that runs it", security=SECURITY)
    @needs(VIEWER, NODE)
    def runbook(path: forms.NodePath) -> Response:
        snapshot = registry.snapshot
        return jsonify(runbook=snapshot.get(Key("runbook", path.name)), revision=snapshot.revision)

    @app.post("/api/v1/audit", summary="What somebody did on a node", security=SECURITY)
    @needs(SERVICE, NODE)
    def add_deed(body: forms.Deed) -> Response:
        ticket = parts.tickets.recognised(body.ticket) if body.ticket else None
        parts.registry.shelf.note(audit.deed(body, principal(), request.remote_addr, ticket, parts.now()))
        return jsonify(noted=True)

    @app.post("/api/v1/enrol", summary="Give a node its credential")
    @needs()
    def enrol(body: forms.Enrolment) -> Response:
        who = ("enrol", request.remote_addr)
        g.who = f"enrolment as {body.node}"
        parts.throttle.check(
            who, "wrong enrolment keys", lambda: parts.credentials.check_key(body.key, parts.enrolment_key)
        )
        if body.node not in registry.snapshot.fleet.facts:
            raise NotFound(f"There is no node '{body.node}' yet. Add it with `nodeward apply`; then it can enrol.")
        token = parts.credentials.enrol(body.node)
        note(parts, "enrol", f"node {body.node}", who=body.node)
        _learn_address(parts, body)
        return jsonify(token=token)


def _learn_address(parts: Parts, body: forms.Enrolment) -> None:
    """Where the registry does not say where a node is, its enrolment does."""
    key = Key("node", body.node)
    present = parts.registry.get(key)
    address = body.address or request.remote_addr
    if not present.get("address") and address:
        learnt = Document("", 1, {**present, "address": address})
        parts.registry.apply([learnt], body.node, f"enrolled from {address}")


class PerRevision:
    """A document made once for each revision: (bytes, tag)."""

    def __init__(self, registry: Registry, make: Callable[[Snapshot], Any]) -> None:
        self._registry, self._make = registry, make
        self._lock = threading.Lock()
        self._kept: tuple[int, bytes, str] = (-1, b"", "")

    def get(self) -> tuple[bytes, str]:
        """Return the document of the revision in force, and its tag."""
        with self._lock:
            snapshot = self._registry.snapshot
            if self._kept[0] != snapshot.revision:
                self._kept = (snapshot.revision, *document(self._make(snapshot)))
            return self._kept[1:]
