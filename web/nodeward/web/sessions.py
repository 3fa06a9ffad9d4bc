"""The logins that last: a cookie names one of them, and is worth nothing once it is ended.

They are kept in a file, so that web may be restarted without logging anybody out, or back in. A file that is lost or cannot be
read logs everybody out.
"""

import contextlib
import json
import logging
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from nodeward.core import clock
from nodeward.core.errors import ConfigError
from nodeward.core.files import write_atomic

log = logging.getLogger(__name__)

SECOND = 1_000_000
REMEMBER = 300 * SECOND  # for so long a click may be forgotten when web is killed
MOST_EACH = 50  # sessions of one person; the one that was idle for longest makes room


@dataclass
class Session:
    """One login of a person in one browser. `mark` is of the password it was begun with; times are µs since 1970."""

    id: str
    name: str
    mark: str
    address: str
    agent: str
    begun: int
    seen: int


class Sessions:
    """All that last. `ended` is called with the ids of those that do no more."""

    def __init__(self, path: Path, lasts: float, now: Callable[[], int] = clock.now) -> None:
        self._path, self._lasts, self._now = path, int(lasts * 3600) * SECOND, now
        self._lock = threading.RLock()
        self._all = {each.id: each for each in _read(path)}
        self._written = now()
        self.ended: Callable[[set[str]], None] = lambda _ids: None

    def begin(self, name: str, mark: str, address: str, agent: str) -> str:
        """Begin a session; return its id."""
        now = self._now()
        made = Session(secrets.token_urlsafe(24), name, mark, address, agent[:300], now, now)
        with self._lock:
            idle = sorted(self.of(name), key=lambda each: each.seen)[: -MOST_EACH + 1 or None]
            self._all[made.id] = made
            self._forget({each.id for each in idle} if len(self.of(name)) > MOST_EACH else set())
        return made.id

    def get(self, identifier: object) -> Session | None:
        """Return the session with that id, if it lasts."""
        with self._lock:
            found = self._all.get(identifier) if isinstance(identifier, str) else None
            return found if found and self._now() - found.seen <= self._lasts else None

    def seen(self, session: Session) -> None:
        """Take note that somebody is there."""
        with self._lock:
            session.seen = self._now()
            if session.seen - self._written > REMEMBER:
                self._forget(set())

    def of(self, name: str) -> list[Session]:
        """Return a person's sessions that last, the one begun last first."""
        with self._lock:
            mine = [each for each in self._all.values() if each.name == name and self._now() - each.seen <= self._lasts]
        return sorted(mine, key=lambda each: -each.begun)

    def end(self, ids: Iterable[str]) -> None:
        """End some sessions."""
        with self._lock:
            known = set(ids) & set(self._all)
            if known:
                self._forget(known)
        if known:
            self.ended(known)

    def end_all(self, name: str, but: str | None = None) -> int:
        """End every session of a person, but for one. Return how many."""
        ids = {each.id for each in self.of(name)} - {but}
        self.end(ids)
        return len(ids)

    def renew(self, identifier: str, mark: str) -> None:
        """The password was changed in this session: it lasts, and every other of that person ends."""
        with self._lock:
            found = self._all.get(identifier)
            if found is None:
                return
            found.mark = mark
            self._forget(set())
        self.end_all(found.name, but=identifier)

    def _forget(self, ids: set[str]) -> None:
        """Keep all but those, and those that have run out by themselves, and write that down."""
        now = self._now()
        kept = {key: each for key, each in self._all.items() if key not in ids and now - each.seen <= self._lasts}
        self._all, self._written = kept, now
        try:
            write_atomic(self._path, json.dumps([asdict(each) for each in kept.values()]), mode=0o600)
        except OSError as error:
            log.warning(
                "the sessions cannot be kept in %s (%s): a restart logs everybody out", self._path, error.strerror
            )
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)  # else a restart would bring back what was ended


def _read(path: Path) -> list[Session]:
    try:
        return [Session(**each) for each in json.loads(path.read_text())]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(f"The sessions: {path} cannot be read ({error.strerror}). Check its owner.") from None
    except (ValueError, TypeError):
        log.warning("%s holds no sessions: everybody has to log in again", path)
        return []
