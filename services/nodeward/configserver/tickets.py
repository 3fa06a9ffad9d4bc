"""Who gets a ticket for a node, and of what it speaks (docs/decisions/0804)."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from nodeward.configserver.people import People
from nodeward.configserver.registry import Registry
from nodeward.core import clock, tickets
from nodeward.core.auth import SERVICE, VIEWER, Principal
from nodeward.core.errors import BadInput, NotAllowed, NotAuthenticated, NotFound, Problem
from nodeward.core.tickets import ACT_SECONDS, LOOK, LOOK_SECONDS, SECOND, Signer, Ticket
from nodeward.store.base_registry import Key

BELIEVED = "web"  # the one server whose word counts for who is logged in


class Issuer:
    """Makes tickets, and knows its own again."""

    def __init__(self, signer: Signer, registry: Registry, people: People, now: Callable[[], int] = clock.now) -> None:
        self._signer, self._registry, self._people, self._now = signer, registry, people, now

    def keys(self) -> list[dict[str, str]]:
        """Return the public keys with which node servers verify tickets."""
        return [{"id": self._signer.id, "key": self._signer.public}]

    def issue(self, who: Principal, at: str, may: str, address: str | None = None) -> tuple[str, Ticket]:
        """Return a ticket for a node, as it is shown and what it says.

        Raise NotAllowed if this caller gets none, or may not do there what it is for; NotFound if there is no such node server.
        """
        self._must_be_allowed(who)
        if (needed := tickets.needed_for(may)) is not None:
            who.must_reach(needed)
        facts = self._registry.snapshot.fleet.facts.get(at)
        if facts is None or not facts["agent"]:
            raise NotFound(f"There is no node '{at}' with a node server.")
        now = self._now()
        seconds = LOOK_SECONDS if may == LOOK else ACT_SECONDS
        ticket = Ticket(
            id=tickets.new_id(), name=who.name, role=who.role, node=who.node, via=who.via, address=who.address or address,
            token=who.token, at=at, may=may, issued=now, until=now + seconds * SECOND,
        )  # fmt: skip
        return self._signer.sign(ticket), ticket

    def recognised(self, text: str) -> Ticket | None:
        """Return what a ticket of ours says, also when it has ended; None if it is none of ours."""
        try:
            return tickets.read(text, lambda known: self._signer.public if known == self._signer.id else None)
        except NotAuthenticated:
            return None

    def _must_be_allowed(self, who: Principal) -> None:
        """Web speaks for who is logged in, and for them as far as they reach; other servers have no business on nodes."""
        if who.role == SERVICE and who.name != OWN.name:
            raise NotAllowed("A server of the appliance gets a ticket only for a person who is logged in.")
        if who.via is None:
            return
        if who.via != BELIEVED:
            raise NotAllowed(f"'{who.via}' gets no tickets for people; only '{BELIEVED}' knows who is logged in.")
        if self._is_disabled(who.name):
            raise NotAllowed(f"User '{who.name}' is disabled.")
        if not Principal(who.name, self._role_of(who.name)).reaches((who.role,)):
            raise NotAllowed(f"User '{who.name}' is not {who.role}.")

    def _is_disabled(self, name: str) -> bool:
        return bool(self._registry.snapshot.fleet.bodies.get(Key("user", name), {}).get("disabled"))

    def _role_of(self, name: str) -> str:
        try:
            return self._people.account(name)["role"]
        except NotFound:
            return VIEWER  # what pages show to everybody who is logged in, such as a run that several watch


OWN = Principal("configserver", SERVICE)


@dataclass(frozen=True)
class OwnTickets:
    """The config server's own tickets, made when they are needed."""

    issuer: Issuer
    who: Principal = OWN

    def ticket(self, node: str, may: str) -> str:
        """Return a ticket."""
        return self.issuer.issue(self.who, node, may)[0]

    def forget(self, node: str, may: str) -> None:
        """None is kept."""

    def acting_for(self, user: str, role: str, address: str | None = None) -> "OwnTickets":
        """Return the tickets of a person."""
        return replace(self, who=Principal(user, role, address=address))


def checked_may(may: str) -> str:
    """Return for what a ticket is wanted. Raise BadInput if that is neither GET nor a single deed."""
    if may != LOOK and not re.fullmatch(r"(POST|PUT|DELETE) /[^\x00-\x1f\x7f]{1,500}", may):
        raise BadInput(
            "The ticket is not valid.", [Problem("may", "it is GET, or a method and a path: POST /api/v1/runs")]
        )
    return may
