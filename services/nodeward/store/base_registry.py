"""The contract of the registry shelf: objects, revisions, credentials, passwords, the audit list.

What must hold, whatever the engine:

- `commit` is one step: after a crash the whole revision is there or none of it. It succeeds only from the revision that the
  caller saw (`expected`), so two writers never lose each other's change.
- Revisions are numbered 1, 2, 3 … without a gap and are never changed or removed.
- `audit` only grows.
- Object bodies are JSON objects as they were given; the shelf does not look into them.

Times are microseconds since 1970.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from nodeward.core.auth import Credential


class Key(NamedTuple):
    """What names an object."""

    kind: str
    name: str


@dataclass(frozen=True)
class Stored:
    """An object as it stands, and the revision that last changed it."""

    key: Key
    body: dict[str, Any]
    changed: int


@dataclass(frozen=True)
class Change:
    """What one revision does to one object: `before` None makes it, `after` None removes it."""

    key: Key
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    @property
    def action(self) -> str:
        """``create``, ``update`` or ``delete``."""
        return "create" if self.before is None else "delete" if self.after is None else "update"


@dataclass(frozen=True)
class Revision:
    """One step of the configuration's history."""

    number: int
    at: int
    who: str
    why: str
    changes: list[Change]


@dataclass(frozen=True)
class Deed:
    """Something that somebody did; `id` is given by the shelf."""

    at: int
    who: str
    via: str | None
    address: str | None
    action: str
    what: str
    id: int = 0


@dataclass(frozen=True)
class BundleMark:
    """What a node's bundle was last: the hash of its content, and the revision that made it so."""

    node: str
    digest: str
    revision: int


class RegistryShelf(Protocol):
    """Keeps the registry. One process uses it; its methods may be called from several threads."""

    def objects(self) -> list[Stored]:
        """Return every object."""

    def head(self) -> int:
        """Return the number of the newest revision, 0 if there is none."""

    def commit(self, expected: int, revision: Revision) -> None:
        """Make `revision` the newest and its changes true. Raise Conflict unless `expected` is still the newest."""

    def revision(self, number: int) -> Revision | None:
        """Return a revision with its changes, or None."""

    def revisions(self, before: int | None, limit: int) -> list[Revision]:
        """Return revisions below `before` (all, if None), newest first, at most `limit`."""

    def credentials(self) -> list[Credential]:
        """Return every credential, in the order they were made."""

    def put_credential(self, credential: Credential, replacing: Iterable[str] = (), at: int = 0) -> None:
        """Keep a new credential, and in the same step revoke those whose ids are in `replacing`."""

    def revoke(self, identifier: str, at: int) -> bool:
        """Revoke a credential. Return whether it was in force."""

    def note_use(self, identifier: str) -> None:
        """Remember that a credential was used. Doing so again changes nothing."""

    def used(self) -> set[str]:
        """Return the ids of the credentials that were used."""

    def password(self, name: str) -> str | None:
        """Return the hash of a user's password, or None."""

    def put_password(self, name: str, digest: str | None) -> None:
        """Keep a user's password hash; None forgets it."""

    def note(self, *deeds: Deed) -> None:
        """Add to the audit list, in that order."""

    def deeds(self, before: int | None, limit: int) -> list[Deed]:
        """Return the audit list below id `before` (all, if None), newest first, at most `limit`."""

    def bundle_marks(self) -> list[BundleMark]:
        """Return what is remembered of the nodes' bundles."""

    def put_bundle_marks(self, marks: Iterable[BundleMark]) -> None:
        """Remember these, in place of what was known of the same nodes."""

    def trouble(self) -> str:
        """Return in a sentence why the engine cannot be used just now, or "" if it can."""

    def close(self) -> None:
        """Let go of the engine."""
