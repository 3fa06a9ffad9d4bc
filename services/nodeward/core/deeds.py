"""What people did to programs, on its way to the audit list at the config server.

A deed is a small file in `run/deeds` from the moment it was done until the config server has it, so that neither its absence nor
the death of whoever noted it loses one. All programs under one NODEWARD_VAR share the directory, and one of them at a time ships.
"""

import fcntl
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from uuid import uuid4

from nodeward.core import clock
from nodeward.core.client import Client
from nodeward.core.errors import NodewardError
from nodeward.core.files import write_atomic
from nodeward.core.trouble import Trouble

log = logging.getLogger(__name__)

OUTSIDE = "supervisorctl or outside"  # who did what none of our own doors was asked for


@dataclass(frozen=True)
class Deed:
    """`who` did `action` to `what` at that time (µs since 1970): by way of `via`, coming from `address`.

    `ticket` is what a node server was shown for it, which proves who it was.
    """

    at: int
    who: str
    action: str
    what: str
    via: str | None = None
    address: str | None = None
    ticket: str | None = field(default=None, repr=False)


def note(var: Path, deed: Deed) -> None:
    """Keep a deed until it is shipped. A disk that takes none is logged: what was done is done."""
    directory = var / "run" / "deeds"
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomic(directory / f"{deed.at:020d}-{uuid4().hex[:8]}.json", json.dumps(asdict(deed)), mode=0o600)
    except OSError as error:
        log.error("%s: %s of %s could not be noted for the audit (%s)", deed.who, deed.action, deed.what, error)


def tell(config: Client, deed: Deed, place: str) -> None:
    """Give a deed that was done at `place` to the config server."""
    config.post("/api/v1/audit", {**asdict(deed), "what": f"{deed.what} on {place}"})


class Shipper:
    """Gives deeds to `send`, oldest first. `unit` is one piece of work.

    With `patience`, it leaves what no ticket proves to the others under that directory for so many seconds: a node's own word
    counts for less than a server's.
    """

    def __init__(self, var: Path, send: Callable[[Deed], None], patience: float = 0.0) -> None:
        self._directory, self._send, self._trouble = var / "run" / "deeds", send, Trouble(log)
        self._patience = int(patience * 1_000_000)

    def unit(self) -> bool:
        """Ship what is there. Return False: what comes next can wait a moment."""
        if not self._waiting():
            return False
        with self._alone() as alone:
            try:
                for path in self._waiting() if alone else []:
                    self._ship(path)
            except NodewardError as error:
                self._trouble.meet(error, "What was done to programs is kept until the audit list takes it: %s")
            else:
                self._trouble.end()
        return False

    def _waiting(self) -> list[Path]:
        try:
            return sorted(path for path in self._directory.iterdir() if path.suffix == ".json")
        except OSError:
            return []  # nothing was done yet

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Whether no other program ships at the moment."""
        descriptor = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield True
        except BlockingIOError:
            yield False
        finally:
            os.close(descriptor)

    def _ship(self, path: Path) -> None:
        try:
            deed = Deed(**json.loads(path.read_text()))
            if deed.ticket is None and clock.now() < deed.at + self._patience:
                return
            self._send(deed)
        except NodewardError as error:
            if error.retry:
                raise
            log.error("The audit list refuses %s for good: %s", path.name, error)
        except (OSError, ValueError, TypeError) as error:
            log.error("%s is no deed and is left out of the audit list: %s", path, error)
        path.unlink(missing_ok=True)
