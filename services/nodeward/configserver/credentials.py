"""Credentials at their source: who has a token, making and revoking them, enrolling nodes."""

import hmac
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from nodeward.configserver import answers
from nodeward.core import clock, tokens
from nodeward.core.auth import NODE, Credential
from nodeward.core.errors import Conflict, NotAuthenticated, NotFound
from nodeward.core.files import read_secret
from nodeward.store.base_registry import RegistryShelf

# µs: so long after its end, or after the next one was made, a credential may still be shown by a program that has not read that
GRACE = 60 * 1_000_000
LATELY = 120 * 1_000_000  # µs; a node asks every few seconds


class WayIn(NamedTuple):
    """How a node stands with its credential: since when one is in force, when the last of the others ended, and when one that
    had ended was shown last."""

    begun: int | None = None
    ended: int | None = None
    refused: int | None = None


NO_WAY_YET = WayIn()


class Credentials:
    """Every credential, in memory, and on the shelf before anybody is told of it."""

    def __init__(self, shelf: RegistryShelf, now: Callable[[], int] = clock.now) -> None:
        self._shelf, self._now = shelf, now
        self._lock = threading.RLock()
        self._known = {each.id: each for each in shelf.credentials()}
        self._used = shelf.used()
        # By node: the id of the credential that was refused last, and when.
        self._refused: dict[str, tuple[str, int]] = {}
        self._document: tuple[dict[str, Credential], bytes, str] | None = None

    def find(self, identifier: str) -> Credential | None:
        """Return the credential of that id."""
        return self._known.get(identifier)

    def proven(self, identifier: str | None) -> None:
        """Remember that a token was shown: it has been received, so what it supersedes ends."""
        found = self._known.get(identifier or "")
        if found is None or found.id in self._used or not (found.role == NODE or found.supersedes):
            return
        with self._lock:
            self._shelf.note_use(found.id)
            old = self._known.get(found.supersedes or "")
            if old is not None and old.revoked is None:
                self.revoke(old.id)
            self._used.add(found.id)

    def refused(self, identifier: str | None) -> None:
        """Remember that a node showed a credential that is in force no more."""
        found = self._known.get(identifier or "")
        if found is not None and found.role == NODE and found.node:
            self._refused[found.node] = (found.id, self._now())

    def all(self) -> list[Credential]:
        """Return every credential, oldest first."""
        return list(self._known.values())

    def in_force(self) -> list[Credential]:
        """Return those that are neither revoked nor expired."""
        at = self._now()
        return [each for each in self.all() if each.revoked is None and (each.expires is None or each.expires > at)]

    def make(
        self,
        name: str,
        role: str,
        node: str | None = None,
        expires: int | None = None,
        replacing: list[str] | None = None,
    ) -> str:
        """Make a credential and return its token, which nobody can be told again; revoke those in `replacing`, too."""
        return self._made(Credential(id="", name=name, role=role, hash="", node=node, expires=expires), replacing)[1]

    def rotate(self, identifier: str) -> tuple[Credential, str]:
        """Return a new credential in place of another, and its token. The old one ends when the new one is used.

        Raise NotFound if there is none in force of that id.
        """
        with self._lock:
            old = next((each for each in self.in_force() if each.id == identifier), None)
            if old is None:
                raise _none_in_force(identifier)
            lasts = None if old.expires is None else self._now() + old.expires - old.created
            lost = [each.id for each in self.in_force() if each.supersedes == old.id and each.id not in self._used]
            return self._made(old.model_copy(update={"expires": lasts, "supersedes": old.id}), lost)

    def _made(self, wanted: Credential, replacing: list[str] | None) -> tuple[Credential, str]:
        token, identifier, digest = tokens.mint()
        at = self._now()
        made = wanted.model_copy(update={"id": identifier, "hash": digest, "created": at})
        with self._lock:
            self._shelf.put_credential(made, replacing or [], at)
            known = dict(self._known)
            for each in replacing or []:
                known[each] = known[each].model_copy(update={"revoked": at})
            known[identifier] = made
            self._known = known
        return made, token

    def revoke(self, identifier: str) -> Credential:
        """Revoke a credential and return it. Raise NotFound if there is none in force of that id."""
        with self._lock:
            at = self._now()
            if not self._shelf.revoke(identifier, at):
                raise _none_in_force(identifier)
            revoked = self._known[identifier].model_copy(update={"revoked": at})
            self._known = {**self._known, identifier: revoked}
            return revoked

    def enrol(self, node: str) -> str:
        """Return a new token for a node that has shown the enrolment key.

        A node enrols once; again only if its credential was revoked, or was never used (its answer was lost on the way).
        Raise Conflict if the node is enrolled.
        """
        with self._lock:
            present = self._of_node(node)
            taken = [each for each in present if each.id in self._used]
            if taken:
                raise Conflict(
                    f"Node '{node}' is enrolled already. If it lost its credential, revoke that first: "
                    f"`nodeward token revoke {taken[0].id}`; then it can enrol again."
                )
            return self.make(node, NODE, node=node, replacing=[each.id for each in present])

    def end(self, node: str) -> None:
        """Revoke what a node that is no more could speak with."""
        with self._lock:
            for each in self._of_node(node):
                self.revoke(each.id)

    def ways_in(self) -> dict[str, WayIn]:
        """Return how every node that ever had a credential stands with it."""
        return self._ways_in(self._known.values())

    def way_in(self, node: str) -> WayIn:
        """Return how one node stands with its credential."""
        return self._ways_in(each for each in self._known.values() if each.node == node).get(node, NO_WAY_YET)

    def _ways_in(self, known: Iterable[Credential]) -> dict[str, WayIn]:
        at, found = self._now(), dict[str, WayIn]()
        for each in known:
            if each.role != NODE or not each.node:
                continue
            before = found.get(each.node, NO_WAY_YET)
            ended = each.revoked if each.revoked is not None else each.expires
            if ended is None or (each.revoked is None and ended > at):
                found[each.node] = before._replace(begun=max(each.created, before.begun or 0))
            else:
                identifier, last = self._refused.get(each.node, ("", 0))
                refused = last if identifier == each.id and last > ended + GRACE else before.refused
                found[each.node] = before._replace(ended=max(ended, before.ended or 0), refused=refused)
        return found

    def document(self) -> tuple[bytes, str]:
        """Return the list as the other servers copy it, and its tag; made once per change, for it is asked all the time."""
        known = self._known
        if self._document is None or self._document[0] is not known:
            rows = [each.model_dump(exclude={"supersedes"}) for each in known.values()]
            self._document = (known, *answers.document(rows))
        return self._document[1:]

    def _of_node(self, node: str) -> list[Credential]:
        return [each for each in self.in_force() if each.role == NODE and each.node == node]

    def check_key(self, given: str, key_file: Path) -> None:
        """Raise NotAuthenticated unless `given` is the enrolment key."""
        if not hmac.compare_digest(given.encode(), read_secret(key_file, "The enrolment key").encode()):
            raise NotAuthenticated(
                "That enrolment key is not this appliance's; secrets/node/enrol of its config server has it."
            )


def _none_in_force(identifier: str) -> NotFound:
    return NotFound(f"There is no token in force with id '{identifier}'. `nodeward token list` shows them.")


def advice(node: str, way: WayIn, now: int) -> str | None:
    """Return what is to be done so that a node gets in (again), as a sentence; None where it can."""
    last = way.refused if way.refused is not None and now < way.refused + LATELY else None
    again = (
        "remove secrets/nodeserver/token under its NODEWARD_VAR and restart its node server, "
        "which then enrols anew with its key"
    )
    if way.begun is not None:
        if last is None or last <= way.begun + GRACE:
            return None
        return (
            f"Somebody shows a credential of node '{node}' that has ended, last at {_moment(last)}, though another one is "
            f"in force. If that is the node itself, `nodeward token list` and `nodeward token revoke ID` end the other one; "
            f"then, there, {again}. Else another machine goes by its name."
        )
    if way.ended is None:
        return (
            f"Node '{node}' has not enrolled yet: give its node server the key that `nodeward token enrol-key` prints, "
            "by NODEWARD_NODESERVER_ENROL_KEY_FILE."
        )
    tried = f"; it was refused with it last at {_moment(last)}" if last else ""
    return (
        f"The credential of node '{node}' ended at {_moment(way.ended)}{tried}. The audit list says who revoked it, or took the "
        f"node away. If it is to come in again: on the node, {again}."
    )


def _moment(at: int) -> str:
    return clock.rfc3339(at)[:19].replace("T", " ") + "Z"
