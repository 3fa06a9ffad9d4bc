"""The bundle that was released to each node, where that may be another than the newest: one file for each such node.

They lie beside the rollouts, not on the registry's shelf: a release is what is on a node, not what is configured.
"""

import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nodeward.core import began, clock
from nodeward.core.files import write_atomic


@dataclass(frozen=True)
class Release:
    """A bundle released to a node. `refused` is the digest of the one that was rolled back from it, and `why` the reason."""

    node: str
    revision: int
    digest: str
    at: int
    refused: str | None = None
    why: str = ""

    @property
    def etag(self) -> str:
        """What names this content."""
        return f"{self.digest[:24]}-{self.revision}-released"


class Releases:
    """Every release, on disk before anybody is told of it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._known = {release.node: release for path in directory.glob("*.json") if (release := _read(path))}

    def get(self, node: str) -> Release | None:
        """Return what was released to a node, or None if nothing was."""
        return self._known.get(node)

    def body(self, release: Release) -> bytes:
        """Return a release's bundle as it is handed out."""
        bundle = json.loads(self._path(release.node).read_text())["bundle"]
        return json.dumps(bundle).encode()

    def put(self, node: str, bundle: dict[str, Any], refused: str | None = None, why: str = "") -> Release:
        """Release a bundle to a node, instead of what was released before."""
        made = Release(node, bundle["revision"], began.digest(bundle["files"]), clock.now(), refused, why)
        with self._lock:
            write_atomic(self._path(node), json.dumps({"release": asdict(made), "bundle": bundle}))
            self._known[node] = made
        return made

    def forget(self, node: str) -> None:
        """There is nothing to keep back from a node any more."""
        with self._lock:
            if self._known.pop(node, None):
                self._path(node).unlink(missing_ok=True)

    def _path(self, node: str) -> Path:
        return self._directory / f"{node}.json"


def _read(path: Path) -> Release | None:
    try:
        return Release(**json.loads(path.read_text())["release"])
    except (OSError, ValueError, TypeError, KeyError):
        return None  # damaged: the node is handed the newest bundle
