"""Credentials at their source: who has a token, making and revoking them, enrolling nodes."""

import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from pathlib import Path

from nodeward.core import clock, tokens
from nodeward.core.auth import NODE, Credential
from nodeward.core.errors import Conflict, NotAuthenticated, NotFound
from nodeward.core.files import read_secret
from nodeward.store.base_registry import RegistryShelf


class Credentials:
    """Every credential, in memory, and on the shelf before anybody is told of it."""

    def __init__(self, shelf: RegistryShelf, now: Callable[[], int] = clock.now) -> None:
        self._shelf, self._now = shelf, now
        self._lock = threading.RLock()
        self._known = {each.id: each for each in shelf.credentials()}
        self._used = shelf.used()
        self._document: tuple[dict[str, Credential], bytes, str] | None = None

    def find(self, identifier: str) -> Credential | None:
        """Return the credential of that id, and remember that it was used."""
        found = self._known.get(identifier)
        if found is not None and found.role == NODE and identifier not in self._used:
            self._shelf.note_use(identifier)
            self._used.add(identifier)
        return found

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
        token, identifier, digest = tokens.mint()
        at = self._now()
        made = Credential(id=identifier, name=name, role=role, hash=digest, node=node, created=at, expires=expires)
        with self._lock:
            self._shelf.put_credential(made, replacing or [], at)
            known = dict(self._known)
            for each in replacing or []:
                known[each] = known[each].model_copy(update={"revoked": at})
            known[identifier] = made
            self._known = known
        return token

    def revoke(self, identifier: str) -> Credential:
        """Revoke a credential and return it. Raise NotFound if there is none in force of that id."""
        with self._lock:
            at = self._now()
            if not self._shelf.revoke(identifier, at):
                raise NotFound(f"There is no token in force with id '{identifier}'. `nodeward token list` shows them.")
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

    def document(self) -> tuple[bytes, str]:
        """Return the list as the other servers copy it, and its tag; made once per change, for it is asked all the time."""
        known = self._known
        if self._document is None or self._document[0] is not known:
            body = json.dumps([each.model_dump() for each in known.values()]).encode()
            self._document = (known, body, hashlib.sha256(body).hexdigest()[:24])
        return self._document[1:]

    def _of_node(self, node: str) -> list[Credential]:
        return [each for each in self.in_force() if each.role == NODE and each.node == node]

    def check_key(self, given: str, key_file: Path) -> None:
        """Raise NotAuthenticated unless `given` is the enrolment key."""
        if not hmac.compare_digest(given.encode(), read_secret(key_file, "The enrolment key").encode()):
            raise NotAuthenticated(
                "That enrolment key is not this appliance's; secrets/node/enrol of its config server has it."
            )
