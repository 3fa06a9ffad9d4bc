"""The registry at work: the objects in memory, changed one revision at a time.

Reading never waits for a writer: a change builds a new `Fleet` and puts it in the old one's place once it is durable.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nodeward.configserver import verify
from nodeward.configserver.documents import Document
from nodeward.configserver.fleet import Fleet
from nodeward.core import clock
from nodeward.core.auth import ADMIN
from nodeward.core.errors import Conflict, NodewardError, NotFound, Problem
from nodeward.store.base_registry import Change, Key, RegistryShelf, Revision

Bodies = dict[Key, dict[str, Any]]


@dataclass(frozen=True)
class Snapshot:
    """The configuration as of one revision."""

    revision: int
    fleet: Fleet

    def get(self, key: Key) -> dict[str, Any]:
        """Return an object's body. Raise NotFound if there is none."""
        body = self.fleet.bodies.get(key)
        if body is None:
            raise NotFound(f"There is no {key.kind} '{key.name}'.")
        return body


@dataclass(frozen=True)
class Outcome:
    """What a change did, or would do: `revision` is the one in force after it."""

    revision: int
    changes: list[Change]
    warnings: list[Problem]


class Registry:
    """The objects, their history, and the one way to change them."""

    def __init__(self, shelf: RegistryShelf, now: Callable[[], int] = clock.now) -> None:
        self.shelf = shelf
        self._now = now
        self._writing = threading.Lock()
        self._unsure = False  # whether the shelf may be ahead of what is in memory
        self._snapshot = self._load()

    @property
    def snapshot(self) -> Snapshot:
        """The configuration in force."""
        return self._snapshot

    def apply(
        self,
        documents: Iterable[Document],
        who: str,
        why: str = "",
        *,
        dry_run: bool = False,
        expected: int | None = None,
    ) -> Outcome:
        """Put the documents in, as one revision; what is the same already makes none.

        Raise BadInput with every fault, or Conflict if the configuration is not at revision `expected` any more.
        """
        documents = list(documents)
        return self._change(lambda bodies, fleet: verify.applied(bodies, documents, fleet), who, why, dry_run, expected)

    def remove(self, key: Key, who: str, why: str = "", *, expected: int | None = None) -> Outcome:
        """Take an object away. Raise NotFound if there is none, BadInput if others need it."""
        self.get(key)
        return self._change(lambda bodies, fleet: verify.removed(bodies, key, fleet), who, why, False, expected)

    def restore(self, number: int, who: str) -> Outcome:
        """Make the configuration what it was at a revision; that is a new revision. Raise NotFound if there is none."""
        self.revision(number)
        return self._change(
            lambda bodies, _: self._as_of(number, bodies), who, f"restore revision {number}", False, None
        )

    def get(self, key: Key) -> dict[str, Any]:
        """Return an object's body. Raise NotFound if there is none."""
        return self._snapshot.get(key)

    def revision(self, number: int) -> Revision:
        """Return a revision with its changes. Raise NotFound if there is none."""
        found = self.shelf.revision(number)
        if found is None:
            raise NotFound(f"There is no revision {number}; the newest is {self._snapshot.revision}.")
        return found

    def fleet_at(self, number: int) -> Fleet:
        """Return the objects as they were at a revision. Raise NotFound if there is none."""
        self.revision(number)
        return Fleet(self._as_of(number, dict(self._snapshot.fleet.bodies)))

    def _change(
        self,
        change: Callable[[Bodies, Fleet], Mapping[Key, dict[str, Any]]],
        who: str,
        why: str,
        dry_run: bool,
        expected: int | None,
    ) -> Outcome:
        with self._writing:
            if self._unsure:
                self._snapshot, self._unsure = self._load(), False
            present = self._snapshot
            if expected is not None and expected != present.revision:
                raise Conflict(
                    f"The configuration is at revision {present.revision} by now, not {expected}: look again, then repeat."
                )
            bodies = dict(change(dict(present.fleet.bodies), present.fleet))
            changes = difference(present.fleet.bodies, bodies)
            self._keep_an_administrator(changes, bodies)
            number = present.revision + 1
            changed = {**present.fleet.changed, **{each.key: number for each in changes}}
            fleet = Fleet(bodies, changed, present.fleet)
            warnings = verify.warnings(fleet)
            if dry_run or not changes:
                return Outcome(present.revision, changes, warnings)
            try:
                self.shelf.commit(present.revision, Revision(number, self._now(), who, why, changes))
            except NodewardError:
                self._unsure = True  # an engine that was cut off may have stored it all the same
                raise
            self._snapshot = Snapshot(number, fleet)
            return Outcome(number, changes, warnings)

    def _keep_an_administrator(self, changes: list[Change], bodies: Bodies) -> None:
        """Raise Conflict if after the changes nobody who can log in would be an administrator any more."""
        lost = [
            each.key.name for each in changes if _is_administrator(each.before) and not _is_administrator(each.after)
        ]
        able = [name for name in lost if self.shelf.password(name)]
        if not able or any(
            _is_administrator(body) and self.shelf.password(key.name)
            for key, body in bodies.items()
            if key.kind == "user"
        ):
            return
        waiting = [key.name for key, body in bodies.items() if key.kind == "user" and _is_administrator(body)]
        first = (
            f"give '{waiting[0]}', who has no password yet, one (`nodeward user passwd {waiting[0]}`)"
            if waiting
            else "make somebody else admin (`nodeward user add NAME --role admin`)"
        )
        raise Conflict(f"'{able[0]}' is the last administrator who can log in; {first} first. Nothing was changed.")

    def _load(self) -> Snapshot:
        head, stored = self.shelf.head(), self.shelf.objects()
        fleet = Fleet({each.key: each.body for each in stored}, {each.key: each.changed for each in stored})
        return Snapshot(max([head, *fleet.changed.values()]), fleet)

    def _as_of(self, number: int, bodies: Bodies) -> Bodies:
        """Go back revision by revision, undoing each."""
        for later in range(self._snapshot.revision, number, -1):
            for change in self.revision(later).changes:
                if change.before is None:
                    bodies.pop(change.key, None)
                else:
                    bodies[change.key] = change.before
        return bodies


def _is_administrator(body: dict[str, Any] | None) -> bool:
    """Whether that is a user who may log in as one."""
    return body is not None and body["kind"] == "user" and body.get("role") == ADMIN and not body.get("disabled")


def difference(before: Mapping[Key, dict[str, Any]], after: Mapping[Key, dict[str, Any]]) -> list[Change]:
    """Return what leads from one set of objects to the other, by kind and name."""
    changed = [
        key
        for key in before.keys() | after.keys()
        if (old := before.get(key)) is not (new := after.get(key)) and old != new
    ]
    return [Change(key, before.get(key), after.get(key)) for key in sorted(changed)]
