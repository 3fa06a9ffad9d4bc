"""Who is asking, and how far that reaches.

A credential lives at the config server, as a hash. Every other server keeps a copy of the list (`CredentialCopy`), refreshed
by a conditional GET, kept on disk (0600) so that it still knows its callers while the config server is away.
"""

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel

from nodeward.core import clock, tokens
from nodeward.core.client import Client
from nodeward.core.errors import NodewardError, NotAllowed, NotAuthenticated
from nodeward.core.files import write_secret
from nodeward.core.trouble import Trouble

log = logging.getLogger(__name__)

VIEWER, OPERATOR, ADMIN = "viewer", "operator", "admin"
SERVICE = "service"  # a server of the appliance: logserver, monitor, web
NODE = "node"  # a node server or tailflog: it may speak for its own node alone
_RANK = {VIEWER: 1, OPERATOR: 2, ADMIN: 3, SERVICE: 4}

QUESTIONS_IN_A_ROW, QUESTIONS_A_SECOND = 5.0, 1.0  # asked of the config server because an id was not known
LONGEST_WAIT = 3.0  # seconds

PEOPLE = (VIEWER, OPERATOR, ADMIN)


class Credential(BaseModel):
    """What the config server knows of a token. Times are microseconds since 1970; `node` is set for role node alone."""

    id: str
    name: str
    role: str
    hash: str
    node: str | None = None
    created: int = 0
    expires: int | None = None
    revoked: int | None = None
    supersedes: str | None = None  # the id of the one that ends when this one is used for the first time


@dataclass(frozen=True)
class Principal:
    """The one who is asking, for one request: `via` names the server that asks on a person's behalf.

    `node` says which node it is for role node, which `needs("operator", "node")` admits; `token` is the id of the credential.
    `address` is where that person is, as the server in between says; `proof` the ticket that was shown, at a node server.
    """

    name: str
    role: str
    node: str | None = None
    via: str | None = None
    token: str | None = field(default=None, compare=False)
    address: str | None = None
    proof: str | None = field(default=None, compare=False, repr=False)

    def reaches(self, needed: tuple[str, ...]) -> bool:
        """Say whether this principal has one of the roles in `needed`, or a higher one (viewer < operator < admin < service)."""
        return any(
            self.role == role or (role in _RANK and self.role in _RANK and _RANK[self.role] >= _RANK[role])
            for role in needed
        )

    def must_reach(self, needed: tuple[str, ...]) -> None:
        """Raise NotAllowed unless this principal has one of the roles in `needed`, or a higher one."""
        if not self.reaches(needed):
            wanted = " or ".join(needed or ("nobody",))
            raise NotAllowed(f"'{self.name}' is {self.role}; this needs {wanted}.")

    def must_speak_for(self, node: str) -> None:
        """Raise NotAllowed if this is a node's credential and `node` is another one."""
        if self.role == NODE and self.node != node:
            raise NotAllowed(f"The credential of node '{self.node}' cannot speak for node '{node}'.")


class CredentialSource(Protocol):
    """Where a server finds the credential with an id."""

    def find(self, identifier: str) -> Credential | None:
        """Return the credential, or None if there is none of that id."""


def authenticate(header: str | None, on_behalf: str | None, source: CredentialSource, at: int) -> Principal:
    """Given the Authorization header and the Nodeward-User header, return who is asking.

    Raise NotAuthenticated if there is no token, or one that is unknown, expired or revoked.
    """
    if not header:
        raise NotAuthenticated("This needs a token: send it as 'Authorization: Bearer TOKEN'.", who="no token")
    scheme, _, token = header.partition(" ")
    identifier = tokens.identifier(token.strip())
    if scheme.lower() != "bearer" or identifier is None:
        raise NotAuthenticated("The Authorization header is not 'Bearer nw_…'.")
    credential = source.find(identifier)
    if credential is None or not tokens.matches(token.strip(), credential.hash):
        raise NotAuthenticated("That token is not known here. It may have been mistyped, or made by another appliance.")
    if credential.revoked is not None:
        sentence = f"The token '{credential.name}' was revoked."
        raise NotAuthenticated(sentence, who=credential.name, token=credential.id)
    if credential.expires is not None and credential.expires <= at:
        sentence = f"The token '{credential.name}' expired at {clock.rfc3339(credential.expires)}."
        raise NotAuthenticated(sentence, who=credential.name, token=credential.id)
    asker = Principal(credential.name, credential.role, credential.node, token=credential.id)
    return _acting_for(asker, on_behalf)


def _acting_for(principal: Principal, on_behalf: str | None) -> Principal:
    """A service may ask in a person's name, and then reaches as far as the person does.

    ``Nodeward-User: NAME; role=ROLE``, and where that person is may follow as ``; from=ADDRESS``.
    """
    if not on_behalf:
        return principal
    name, _, rest = on_behalf.partition("; role=")
    role, _, address = rest.partition("; from=")
    if principal.role != SERVICE or role not in PEOPLE:
        raise NotAllowed(
            "Only a server of the appliance may ask on behalf of a user, and a user is viewer, operator or admin."
        )
    return Principal(name, role, via=principal.name, token=principal.token, address=address or None)


class CredentialCopy:
    """A server's copy of the config server's credentials. `refresh` is one unit of work.

    A token may be shown here a moment after it was made: an id that the copy does not hold makes it ask the config server
    before the caller is refused. It asks a few times in a row at most and then once a second, so that nobody who makes up
    tokens keeps the config server busy, and nobody waits longer than LONGEST_WAIT for another one's question.
    """

    def __init__(self, client: Client, cache: Path, clock_: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._cache = cache
        self._clock = clock_
        self._etag: str | None = None
        self._lock = threading.Lock()
        self._trouble = Trouble(log, clock_)
        self._questions, self._counted = QUESTIONS_IN_A_ROW, clock_()
        self._known: dict[str, Credential] = {}
        self._load_cache()

    def find(self, identifier: str) -> Credential | None:
        """Return the credential of that id, or None if the config server has none either."""
        found = self._known.get(identifier)
        if found is None and self._lock.acquire(timeout=LONGEST_WAIT):
            try:
                if identifier not in self._known and self._may_ask():  # an answer to somebody else may have brought it
                    self._ask()
            finally:
                self._lock.release()
            found = self._known.get(identifier)
        return found

    def refresh(self) -> bool:
        """Ask the config server for the list. Return whether it changed; a failure keeps the last list and is logged."""
        with self._lock:
            return self._ask()

    def _may_ask(self) -> bool:
        """Count a question for the sake of an unknown id. Say whether there were not too many."""
        now = self._clock()
        self._questions = min(QUESTIONS_IN_A_ROW, self._questions + (now - self._counted) * QUESTIONS_A_SECOND)
        self._counted = now
        if self._questions < 1:
            return False
        self._questions -= 1
        return True

    def _ask(self) -> bool:
        try:
            answer = self._client.get_if_changed("/api/v1/credentials", self._etag)
        except NodewardError as error:
            self._trouble.meet(error, "The list of credentials could not be refreshed, the last one stays in force: %s")
            return False
        self._trouble.end()
        if answer is None:
            return False
        rows, self._etag = answer
        self._known = {row["id"]: Credential(**row) for row in rows}
        write_secret(self._cache, json.dumps(rows))
        return True

    def _load_cache(self) -> None:
        try:
            self._known = {row["id"]: Credential(**row) for row in json.loads(self._cache.read_text())}
        except (OSError, ValueError, TypeError, KeyError):
            self._known = {}  # none yet, or damaged: the first refresh brings it
