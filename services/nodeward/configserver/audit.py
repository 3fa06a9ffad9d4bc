"""What is told of deeds, as it stands in the audit list: what is proven as it was, and the rest as what somebody says.

The appliance's own servers are believed. A node is not, for root on it may tell what it likes of anybody: it hands in the ticket
that it was shown, which says who did what there; without one the list says that the node reports it.
"""

import re

from nodeward.configserver.forms import Deed as Told
from nodeward.core import clock
from nodeward.core.auth import NODE, Principal
from nodeward.core.deeds import OUTSIDE
from nodeward.core.tickets import SECOND, SKEW_SECONDS, Ticket, allows
from nodeward.store.base_registry import Deed

BELIEVED_SECONDS = 600  # so far from now may the time be at which a node says that something was done
PATHS = {
    "run": "/api/v1/runs",
    "stop run": "/api/v1/runs/{}/stop",
    "answer run": "/api/v1/runs/{}/answers",
    "start program": "/api/v1/programs/{}/start",
    "stop program": "/api/v1/programs/{}/stop",
    "restart program": "/api/v1/programs/{}/restart",
}


def deed(told: Told, teller: Principal, address: str | None, ticket: Ticket | None, now: int) -> Deed:
    """Return a deed that was told, as it is noted. `address` is the teller's; `ticket` came with it, if it is one of ours."""
    if ticket is not None and proves(ticket, told, teller):
        return _proven(told, teller, ticket, now)
    if teller.role == NODE:
        return _reported(told, teller, address, now)
    at = now if told.at is None else min(told.at, now)
    where = told.address or (None if told.via else address)
    return Deed(at, told.who, told.via or teller.name, where, told.action, told.what)


def proves(ticket: Ticket, told: Told, teller: Principal) -> bool:
    """Whether a ticket was given for such a deed, and, where a node tells, at that node."""
    if teller.role == NODE and ticket.at != teller.node:
        return False
    before, _, after = PATHS[told.action].partition("{}")
    method, _, path = ticket.may.partition(" ")
    name = path.removeprefix(before).removesuffix(after)
    return "/" not in name and allows(ticket.may, "POST", f"{before}{name}{after}") and method == "POST"


def _proven(told: Told, teller: Principal, ticket: Ticket, now: int) -> Deed:
    skew = SKEW_SECONDS * SECOND
    at = now if told.at is None else min(told.at, now)
    at = at if ticket.issued - skew <= at <= ticket.until + skew else max(ticket.issued, min(now, ticket.until))
    who = f"node {ticket.node}" if ticket.role == NODE else ticket.name
    # A ticket proves who; not that this was done then, since root on the node may have kept it.
    late = teller.role == NODE and now > ticket.until + BELIEVED_SECONDS * SECOND
    what = f"{told.what} (told at {clock.rfc3339(now)})" if late else told.what
    return Deed(at, who, ticket.via or ticket.at, ticket.address, told.action, _named(what, ticket.at))


def _reported(told: Told, teller: Principal, address: str | None, now: int) -> Deed:
    node = str(teller.node)
    who = told.who if told.who == OUTSIDE else f"node {node} reports: {told.who}"
    near = told.at is None or abs(now - told.at) <= BELIEVED_SECONDS * SECOND
    what = told.what if near else f"{told.what} (at {clock.rfc3339(told.at or 0)}, it says)"
    at = min(told.at or now, now) if near else now
    return Deed(at, who, node, address, told.action, _named(what, node))


def _named(what: str, node: str) -> str:
    """What a node tells is of itself, whatever it says."""
    return what if re.search(rf" on {re.escape(node)}(?![\w.-])", what) else f"{what} (told by {node})"
