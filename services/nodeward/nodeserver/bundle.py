"""The node's bundle: fetched, verified as a whole, staged, renamed; and read again whenever its file changed.

A bundle that is not valid never touches the disk: the one before stays in force, and the fault is told by the log, `readyz`,
`GET checks` and the node's own state.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from nodeward.core import began, bundle
from nodeward.core.client import Client
from nodeward.core.errors import BadInput, NodewardError
from nodeward.core.trouble import Trouble
from nodeward.nodeserver.enrol import with_way_back
from nodeward.nodeserver.place import Place

log = logging.getLogger(__name__)


class Pull:
    """Fetches the bundle by conditional GET. `unit` is one piece of work; what was wrong last is in `fault`."""

    def __init__(
        self, config: Client, node: str, token_file: Path, place: Place, running: Callable[[], int | None]
    ) -> None:
        self._config, self._node, self._token_file = config, node, token_file
        self._place, self._running = place, running
        self._etag: str | None = None
        self._trouble = Trouble(log)
        self.fault: str | None = None
        self.written: Callable[[], None] = lambda: None  # called when files were changed

    def unit(self) -> bool:
        """Ask once. Return False: there is nothing more to do until the next poll."""
        try:
            answer = self._config.get_if_changed(f"/api/v1/nodes/{self._node}/bundle", self._etag, self._telling())
        except NodewardError as met:
            error = with_way_back(met, self._token_file)
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
            changed = self._place.put(dict(found.files.items()))
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

    def _telling(self) -> dict[str, str]:
        """What the config server is told of this node: the revision in force, and a digest of the files as they lie here."""
        return {bundle.TOLD: f"{self._running() or 0} {began.digest(self._place.files())}"}

    def _say(self, fault: str | None, words: str, error: Exception) -> None:
        self._trouble.meet(error, words)
        self.fault = fault


class Watch:
    """Reads `nodeserver.json` whenever it changed on disk, whoever wrote it, and hands it on."""

    def __init__(
        self,
        directory: Path,
        apply: Callable[[bundle.NodeserverFile], None],
        began: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._path, self._apply, self._began = directory / bundle.NODESERVER, apply, began
        self._seen: tuple[int, int, int] | None = None
        self.fault: str | None = None
        self.current: bundle.NodeserverFile | None = None

    def unit(self) -> bool:
        """Look once. Return False: there is nothing more to do until the next look."""
        stamp = self._stamp()
        if stamp is None or stamp == self._seen:
            return False
        self._seen = stamp
        try:
            text = self._path.read_text(encoding="utf-8")
            read = bundle.read_nodeserver(text, str(self._path))
            if self.current is None:
                self._began(text)
        except (NodewardError, OSError, UnicodeDecodeError) as error:
            self.fault = str(error)
            log.error("The last configuration stays in force: %s", error)
            return False
        self.fault, self.current = None, read
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
