"""The node's bundle: fetched, verified as a whole, staged, renamed; and read again whenever its file changed.

A bundle that is not valid never touches the disk: the one before stays in force, and the fault is told by the log, `readyz`,
`GET checks` and the node's own state.
"""

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from nodeward.core import bundle
from nodeward.core.client import Client
from nodeward.core.errors import BadInput, NodewardError
from nodeward.core.files import write_atomic
from nodeward.core.trouble import Trouble

log = logging.getLogger(__name__)


def write(directory: Path, files: Mapping[str, str]) -> list[str]:
    """Put the files of a verified bundle in place, one rename each. Return those that changed; the others are left alone."""
    changed = [name for name, text in files.items() if _read(directory / name) != text]
    for name in changed:
        write_atomic(directory / name, files[name])
    return changed


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return None


class Pull:
    """Fetches the bundle by conditional GET. `unit` is one piece of work; what was wrong last is in `fault`."""

    def __init__(self, config: Client, node: str, directory: Path) -> None:
        self._config, self._node, self._directory = config, node, directory
        self._etag: str | None = None
        self._trouble = Trouble(log)
        self.fault: str | None = None
        self.written: Callable[[], None] = lambda: None  # called when files were changed

    def unit(self) -> bool:
        """Ask once. Return False: there is nothing more to do until the next poll."""
        try:
            answer = self._config.get_if_changed(f"/api/v1/nodes/{self._node}/bundle", self._etag)
        except NodewardError as error:
            self._say(
                None if error.retry else str(error), "The bundle could not be fetched; the last one stays: %s", error
            )
            return False
        if answer is None:
            if self.fault is None:  # a bundle that was refused stays refused
                self._trouble.end()
            return False
        content, etag = answer
        try:
            found = bundle.verify(content, self._node)
            changed = write(self._directory, dict(found.files.items()))
        except BadInput as error:
            self._say(str(error), "A bundle was refused; the last one stays in force: %s", error)
        except OSError as error:
            self._say(str(error), "The bundle could not be written (%s); the last one stays in force", error)
            return False  # without the ETag: the next poll tries again
        else:
            self.fault = None
            self._trouble.end()
            if changed:
                log.info("revision %d: %s changed", found.revision, ", ".join(changed))
                self.written()
        self._etag = etag
        return False

    def _say(self, fault: str | None, words: str, error: Exception) -> None:
        self._trouble.meet(error, words)
        self.fault = fault


class Watch:
    """Reads `nodeserver.json` whenever it changed on disk, whoever wrote it, and hands it on."""

    def __init__(self, directory: Path, apply: Callable[[bundle.NodeserverFile], None]) -> None:
        self._path, self._apply = directory / bundle.NODESERVER, apply
        self._seen: tuple[int, int, int] | None = None
        self.fault: str | None = None
        self.current: bundle.NodeserverFile | None = None
        self.changed_at = 0.0

    def unit(self) -> bool:
        """Look once. Return False: there is nothing more to do until the next look."""
        stamp = self._stamp()
        if stamp is None or stamp == self._seen:
            return False
        self._seen = stamp
        try:
            read = bundle.read_nodeserver(self._path.read_text(encoding="utf-8"), str(self._path))
        except (NodewardError, OSError, UnicodeDecodeError) as error:
            self.fault = str(error)
            log.error("The last configuration stays in force: %s", error)
            return False
        self.fault, self.current, self.changed_at = None, read, time.time()
        self._apply(read)
        return False

    def again(self) -> None:
        """Read the file at the next look even if it seems unchanged (SIGHUP)."""
        self._seen = None

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size
