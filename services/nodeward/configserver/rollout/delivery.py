"""Which bundle a node is handed: the newest, or, where changes are rolled out, the one that was last released to it.

A node on `pull` takes the newest by itself. One on `rollout` is handed a newer one only when a rollout releases it. And whatever
a rollout took back from a node is not handed to it again, on `pull` neither, until that node's bundle is another one.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nodeward.configserver.bundles import Bundles, Kept
from nodeward.configserver.registry import Registry
from nodeward.configserver.rollout.releases import Release, Releases
from nodeward.core import began, bundle, clock
from nodeward.core.errors import NodewardError

PULL, ROLLOUT = "pull", "rollout"


@dataclass(frozen=True)
class Told:
    """What a node said of itself when it last asked for its bundle."""

    revision: int
    digest: str
    at: int


class Delivery:
    """Hands each node its bundle, and knows what each has."""

    def __init__(self, registry: Registry, bundles: Bundles, releases: Releases, default: str) -> None:
        self._registry, self._bundles, self._releases, self.default = registry, bundles, releases, default
        self._told: dict[str, Told] = {}
        self._digests: dict[str, tuple[str, str]] = {}  # of each node's newest bundle: its tag, the digest of its files
        self._lock = threading.Lock()
        bundles.outdated = self._keep

    def etag(self, node: str) -> str:
        """Return the tag of what a node is handed. Raise NotFound if it has no bundle."""
        return self._handed(node).etag

    def handed(self, node: str) -> tuple[bytes, str]:
        """Return the bundle that a node is handed, and its tag. Raise NotFound if it has none."""
        handed = self._handed(node)
        return (handed.body if isinstance(handed, Kept) else self._releases.body(handed)), handed.etag

    def mode(self, node: str) -> str:
        """Return how changes reach a node: pull or rollout."""
        return self._registry.snapshot.fleet.delivery(node, self.default)

    def release(self, node: str, given: Mapping[str, Any], refused: str | None = None, why: str = "") -> None:
        """Let a node be handed this bundle. With `refused`, the digest of the bundle it was rolled back from: until there is
        another one. Raise BadInput if it is no bundle of that node."""
        verified = bundle.verify({**given, "node": node}, node)
        body = {"node": node, "revision": verified.revision, "files": dict(verified.files.items())}
        if self.mode(node) == PULL and refused is None:
            self._releases.forget(node)
        else:
            self._releases.put(node, body, refused, why)

    def forget(self, node: str) -> None:
        """A node is no more."""
        self._releases.forget(node)
        self._told.pop(node, None)

    def hear(self, node: str, header: str | None) -> None:
        """Take note of what a node says of itself."""
        revision, _, digest = (header or "").partition(" ")
        if revision.isdecimal() and len(revision) < 16:
            self._told[node] = Told(int(revision), digest[:64], clock.now())

    def row(self, node: str) -> dict[str, Any]:
        """Return how a node stands: what is newest, what it is handed, what it says it has. `drift`: its files are not those."""
        told, release = self._told.get(node), self._releases.get(node)
        row: dict[str, Any] = {
            "node": node,
            "delivery": self.mode(node),
            "running": told.revision or None if told else None,  # 0: none is in force yet
            "heard": clock.rfc3339(told.at) if told else None,
            "refused": release.why or "it was rolled back" if release and release.refused else None,
        }
        try:
            newest, handed = self._bundles.get(node), self._handed(node)
        except NodewardError as error:
            return {**row, "newest": None, "handed": None, "waiting": True, "drift": None, "error": error.detail}
        digest = self._digest(newest) if isinstance(handed, Kept) else handed.digest
        same = told is not None and told.revision == handed.revision
        return {
            **row,
            "newest": newest.revision,
            "handed": handed.revision,
            "waiting": self._digest(newest) != digest,
            "drift": told.digest != digest if told is not None and same else None,
            "error": None,
        }

    def _handed(self, node: str) -> Kept | Release:
        newest, release = self._bundles.get(node), self._releases.get(node)
        if self.mode(node) == PULL:
            held = release is not None and release.refused is not None and release.refused == self._digest(newest)
            return release if held and release else newest
        if release is None:  # the first one: there is nothing yet that a rollout could protect
            return self._releases.put(node, json.loads(newest.body))
        return release

    def _keep(self, node: str, kept: Kept) -> None:
        """The newest bundle of a node is about to be another: where changes are rolled out, what it has stays released."""
        if self._releases.get(node) is None and self.mode(node) == ROLLOUT:
            self._releases.put(node, json.loads(kept.body))

    def _digest(self, newest: Kept) -> str:
        known = self._digests.get(newest.etag)
        if known is None:
            known = (newest.etag, began.digest(json.loads(newest.body)["files"]))
            with self._lock:
                if len(self._digests) > 50_000:
                    self._digests.clear()
                self._digests[newest.etag] = known
        return known[1]
