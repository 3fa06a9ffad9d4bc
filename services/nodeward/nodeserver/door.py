"""The node server's door: who shows a ticket for this node comes in, and nobody else (docs/decisions/0804).

No token opens it, whosever it is: so nobody shows one here, and whoever listens in this node's place learns none.
"""

import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from flask import request

from nodeward.core import clock, tickets
from nodeward.core.auth import CredentialSource, Principal
from nodeward.core.client import Client
from nodeward.core.errors import NodewardError, NotAuthenticated
from nodeward.core.files import write_atomic
from nodeward.core.trouble import Trouble

log = logging.getLogger(__name__)

REFRESH_SECONDS = 300.0
PAUSE_SECONDS = 1.0  # between two questions because a key was not known
LONGEST_WAIT = 3.0


class TicketKeys:
    """This node's copy of the public keys that sign tickets: asked of the config server with the node's own token, kept on disk.

    A key that is not known is asked for at once, so that a config server with another key locks nobody out.
    """

    def __init__(self, config: Client, cache: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._config, self._cache, self._monotonic = config, cache, monotonic
        self._etag: str | None = None
        self._asked = float("-inf")
        self._lock = threading.Lock()
        self._trouble = Trouble(log)
        try:
            self._known: dict[str, str] = dict(json.loads(cache.read_text()))
        except (OSError, ValueError, TypeError):
            self._known = {}  # none yet, or damaged: the next question brings them

    def find(self, identifier: str) -> str | None:
        """Return the public key of that id, or None if it is not one of the config server's."""
        if identifier not in self._known and self._lock.acquire(timeout=LONGEST_WAIT):
            try:
                if identifier not in self._known and self._monotonic() >= self._asked + PAUSE_SECONDS:
                    self._ask()
            finally:
                self._lock.release()
        return self._known.get(identifier)

    def unit(self) -> bool:
        """Ask for the keys. Return False: they change rarely."""
        with self._lock:
            self._ask()
        return False

    def _ask(self) -> None:
        self._asked = self._monotonic()
        try:
            answer = self._config.get_if_changed("/api/v1/ticket-keys", self._etag)
        except NodewardError as error:
            self._trouble.meet(error, "The keys that sign tickets could not be asked for, the last ones stay: %s")
            return
        self._trouble.end()
        if answer is not None:
            found, self._etag = answer
            self._known = {str(each["id"]): str(each["key"]) for each in found["keys"]}
            write_atomic(self._cache, json.dumps(self._known))


class Door:
    """Says who a request comes from."""

    def __init__(self, node: str, keys: TicketKeys, credentials: CredentialSource) -> None:
        self._node, self._keys, self._credentials = node, keys, credentials

    def __call__(self) -> Principal:
        """Return who sent this request. Raise NotAuthenticated or NotAllowed."""
        return self.admit(request.headers.get("Authorization"), request.method, request.path, clock.now())

    def admit(self, header: str | None, method: str, path: str, now: int) -> Principal:
        """Given the Authorization header, return who asks. Raise NotAuthenticated without a ticket that holds here and now,
        NotAllowed if it is for something else."""
        if not header:
            raise NotAuthenticated(
                "This needs a ticket: POST api/v1/tickets at the config server gives one.", who="no ticket"
            )
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer" or not tickets.is_ticket(text.strip()):
            raise NotAuthenticated(
                "A node server takes tickets alone, and no token: POST api/v1/tickets at the config server gives one."
            )
        ticket = tickets.read(text.strip(), self._keys.find)
        tickets.must_hold(ticket, self._node, now)
        self._must_be_in_force(ticket, now)
        tickets.must_allow(ticket, method, path)
        return Principal(
            ticket.name, ticket.role, ticket.node, ticket.via, ticket.token, ticket.address, proof=text.strip()
        )

    def _must_be_in_force(self, ticket: tickets.Ticket, now: int) -> None:
        """Who had a ticket made and has lost the right since, does not come in: the credential was revoked, or is over."""
        found = self._credentials.find(ticket.token) if ticket.token else None
        if found is not None and (found.revoked is not None or (found.expires is not None and found.expires <= now)):
            raise NotAuthenticated(
                f"The token with which '{ticket.name}' got this ticket is in force no more.", who=ticket.name
            )
