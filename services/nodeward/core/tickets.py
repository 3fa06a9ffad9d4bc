"""Tickets: what a node server is shown instead of a token (docs/decisions/0804).

The config server signs them, a node server verifies them with its public key. A ticket is
``nwt.<key>.<payload>.<signature>``: which key, what it says (JSON), and an Ed25519 signature over all that stands before it.
It says who may do what, at which node, for a few minutes; whoever sees it can do nothing else with it.
"""

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Callable
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, ValidationError

from nodeward.core import clock
from nodeward.core.auth import ADMIN, NODE, OPERATOR, SERVICE
from nodeward.core.errors import NotAllowed, NotAuthenticated

LOOK_SECONDS, ACT_SECONDS = 300, 60  # a ticket to look (GET), and one for a single deed
SKEW_SECONDS = 30  # so far may a node's clock be off
LOOK = "GET"
SECOND = 1_000_000

# Who may do what at a node server, so that nobody gets a ticket for what would be refused there anyway. The routes of the node
# server say the same (`needs`), and a test compares them. A deed that is not known here is an administrator's.
_DEEDS = tuple(
    (re.compile(pattern, re.DOTALL), needed)
    for pattern, needed in (
        (r"POST /api/v1/runs", (OPERATOR, NODE)),
        (r"POST /api/v1/runs/[^/]+/stop", (OPERATOR, NODE)),
        (r"POST /api/v1/runs/[^/]+/answers", (OPERATOR,)),
        (r"POST /api/v1/checks/.+/run", (OPERATOR,)),
        (r"PUT /api/v1/files", (NODE,)),
        (r"PUT /api/v1/bundle", (SERVICE,)),
        (r"(PUT|DELETE) /api/v1/bundle/drain", (SERVICE,)),
        (r"POST /api/v1/bundle/programs", (SERVICE,)),
    )
)
_TICKET = re.compile(r"nwt\.([0-9a-f]{12})\.([A-Za-z0-9_-]{1,3000})\.([A-Za-z0-9_-]{86})")


class Ticket(BaseModel):
    """What a ticket says. `may` is GET, or a single deed: a method and a path. Times are microseconds since 1970.

    `name`, `role` and `node` are who asks, as `core.auth.Principal` has them, `token` the id of the credential that asked for it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    name: str
    role: str
    node: str | None = None
    via: str | None = None
    address: str | None = None
    token: str | None = None
    at: str  # the node it is for
    may: str
    issued: int
    until: int


class Signer:
    """Signs tickets with the config server's key."""

    def __init__(self, key: str) -> None:
        """Given a key as `new_key` makes it. Raise ValueError if it is none."""
        self._key = Ed25519PrivateKey.from_private_bytes(_bytes(key))
        self.public = _text(self._key.public_key().public_bytes_raw())
        self.id = key_id(self.public)

    def sign(self, ticket: Ticket) -> str:
        """Return a ticket as it is shown."""
        said = f"nwt.{self.id}.{_text(ticket.model_dump_json(exclude_none=True).encode())}"
        return f"{said}.{_text(self._key.sign(said.encode()))}"


def new_key() -> str:
    """Return a new key to sign with."""
    return _text(Ed25519PrivateKey.generate().private_bytes_raw())


def new_id() -> str:
    """Return an id for a ticket."""
    return secrets.token_hex(8)


def key_id(public: str) -> str:
    """Return the name of a public key."""
    return hashlib.sha256(_bytes(public)).hexdigest()[:12]


def is_ticket(text: str) -> bool:
    """Whether a text looks like a ticket."""
    return _TICKET.fullmatch(text) is not None


def read(text: str, key_of: Callable[[str], str | None]) -> Ticket:
    """Return what a ticket says, once its signature is verified. `key_of` gives the public key of a key's id.

    Raise NotAuthenticated if it is none, or was not signed by the config server. Its time is another matter: `must_hold`.
    """
    found = _TICKET.fullmatch(text)
    if found is None:
        raise NotAuthenticated("What was shown is no ticket.")
    public = key_of(found[1])
    if public is None:
        raise NotAuthenticated("The ticket was signed with a key that is not this appliance's.")
    try:
        key = Ed25519PublicKey.from_public_bytes(_bytes(public))
        key.verify(_bytes(found[3]), text.rpartition(".")[0].encode())
        return Ticket.model_validate_json(_bytes(found[2]))
    except (InvalidSignature, ValidationError, ValueError):
        raise NotAuthenticated("The ticket is not as the config server signed it.") from None


def must_hold(ticket: Ticket, node: str, now: int) -> None:
    """Raise NotAuthenticated unless a ticket is for this node and in force now, as this clock has it."""
    if ticket.at != node:
        raise NotAuthenticated(f"The ticket is for node '{ticket.at}'; this is '{node}'.", who=ticket.name)
    if now >= ticket.until + SKEW_SECONDS * SECOND:
        raise NotAuthenticated(
            f"The ticket ended at {clock.rfc3339(ticket.until)}; here it is {clock.rfc3339(now)}.", who=ticket.name
        )
    if now < ticket.issued - SKEW_SECONDS * SECOND:
        raise NotAuthenticated(
            f"The ticket was made at {clock.rfc3339(ticket.issued)}, and here it is only {clock.rfc3339(now)}: "
            "compare this node's clock with the config server's.",
            who=ticket.name,
        )


def must_allow(ticket: Ticket, method: str, path: str) -> None:
    """Raise NotAllowed unless a ticket is for this request."""
    if not allows(ticket.may, method, path):
        raise NotAllowed(f"The ticket is for {ticket.may}, not for {method} {path}.")


def allows(may: str, method: str, path: str) -> bool:
    """Whether what a ticket is for is this request. Paths are compared with nothing quoted in them."""
    if may == LOOK:
        return method in ("GET", "HEAD")
    return unquote(may) == unquote(f"{method} {path}")


def needed_for(may: str) -> tuple[str, ...] | None:
    """Return the roles that a deed needs at a node server; None for looking, where each route asks for its own."""
    if may == LOOK:
        return None
    return next((needed for pattern, needed in _DEEDS if pattern.fullmatch(unquote(may))), (ADMIN,))


def _text(given: bytes) -> str:
    return base64.urlsafe_b64encode(given).rstrip(b"=").decode()


def _bytes(given: str) -> bytes:
    """Return what a text spells. Raise ValueError if it spells nothing, or is not the one way to spell that."""
    try:
        found = base64.b64decode(given + "=" * (-len(given) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    if _text(found) != given:  # the last letter has bits that mean nothing
        raise ValueError("not as it is written")
    return found
