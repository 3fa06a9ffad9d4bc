"""The nodes' bundles, kept so that asking again for an unchanged one costs next to nothing.

A bundle's revision is the one at which its content last changed, so that an unrelated change touches no node. It is
remembered on the shelf (`flush`, a little later: forgetting it would only make a node take the same files once more).
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nodeward.configserver import bundle
from nodeward.configserver.fleet import Fleet
from nodeward.configserver.registry import Registry, Snapshot
from nodeward.configserver.render import Files
from nodeward.core.errors import NotFound
from nodeward.store.base_registry import BundleMark


@dataclass(frozen=True)
class Kept:
    """A node's bundle as it was last rendered. `seen` is the newest revision for which it is known to be right."""

    inputs: Any
    digest: str
    revision: int
    seen: int
    body: bytes

    @property
    def etag(self) -> str:
        """What names this content."""
        return f"{self.digest[:24]}-{self.revision}"


class Bundles:
    """Gives each node's bundle."""

    def __init__(self, registry: Registry, files: Files, servers: dict[str, str], heartbeat: float) -> None:
        self._registry, self._files, self._servers, self._heartbeat = registry, files, servers, heartbeat
        self._kept: dict[str, Kept] = {}
        self._marks = {mark.node: mark for mark in registry.shelf.bundle_marks()}
        self._unsaved: dict[str, BundleMark] = {}
        self._lock = threading.Lock()
        self.outdated: Callable[[str, Kept], None] = lambda *_: None  # told of one before another takes its place

    def get(self, node: str) -> Kept:
        """Return a node's bundle. Raise NotFound if there is no such node, or it has no node server."""
        snapshot = self._registry.snapshot
        kept = self._kept.get(node)
        if kept is not None and kept.seen == snapshot.revision:
            return kept
        _must_have_bundle(snapshot.fleet, node)
        kept = self._renewed(snapshot, node, kept)
        self._kept[node] = kept
        return kept

    def as_of(self, node: str, number: int) -> bytes:
        """Return a node's bundle as it was at a revision. Raise NotFound if there was no such node then."""
        fleet = self._registry.fleet_at(number)
        _must_have_bundle(fleet, node)
        context = bundle.context(fleet, node, self._servers, self._heartbeat)
        return _body(node, number, self._files.render({**context, "revision": number}))

    def flush(self) -> bool:
        """Remember on the shelf what changed. One unit of work; return whether there was any."""
        with self._lock:
            unsaved, self._unsaved = self._unsaved, {}
        if unsaved:
            self._registry.shelf.put_bundle_marks(unsaved.values())
        return bool(unsaved)

    def _renewed(self, snapshot: Snapshot, node: str, kept: Kept | None) -> Kept:
        inputs = bundle.inputs(snapshot.fleet, node)
        if kept is not None and kept.inputs == inputs:
            return Kept(inputs, kept.digest, kept.revision, snapshot.revision, kept.body)
        context = bundle.context(snapshot.fleet, node, self._servers, self._heartbeat)
        digest = bundle.digest(context)
        if kept is not None and kept.digest != digest:
            self.outdated(node, kept)
        revision = self._revision(node, digest, max(changed for _, changed in inputs), snapshot.revision)
        files = self._files.render({**context, "revision": revision})
        return Kept(inputs, digest, revision, snapshot.revision, _body(node, revision, files))

    def _revision(self, node: str, digest: str, changed: int, head: int) -> int:
        """Return the revision that made the content so: the newest of its objects', or, where one went away, the one in force."""
        with self._lock:
            mark = self._marks.get(node)
            if mark is None or mark.digest != digest:
                revision = changed if mark is None or changed > mark.revision else head
                mark = self._marks[node] = self._unsaved[node] = BundleMark(node, digest, revision)
            return mark.revision


def _body(node: str, revision: int, files: dict[str, str]) -> bytes:
    return json.dumps({"node": node, "revision": revision, "files": files}).encode()


def _must_have_bundle(fleet: Fleet, node: str) -> None:
    facts = fleet.facts.get(node)
    if facts is None:
        raise NotFound(f"There is no node '{node}'. `nodeward get node` lists them; `nodeward apply` adds one.")
    if not facts["agent"]:
        raise NotFound(f"Node '{node}' has no node server (agent: false), so it has no bundle.")
