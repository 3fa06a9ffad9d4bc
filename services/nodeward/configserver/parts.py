"""What the routes of the config server work with, and how they note in the audit list what was done."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flask import request

from nodeward.configserver.bundles import Bundles
from nodeward.configserver.credentials import Credentials
from nodeward.configserver.people import People
from nodeward.configserver.registry import Outcome, Registry
from nodeward.configserver.rollout.delivery import Delivery
from nodeward.configserver.rollout.nodes import Nodes
from nodeward.configserver.rollout.room import Room
from nodeward.configserver.throttle import Throttle
from nodeward.configserver.tickets import Issuer
from nodeward.core import clock
from nodeward.core.http import principal
from nodeward.core.refusals import REFUSE, Refused
from nodeward.store.base_registry import Change, Deed


@dataclass(frozen=True)
class Parts:
    """What the routes work with."""

    registry: Registry
    bundles: Bundles
    credentials: Credentials
    people: People
    throttle: Throttle
    servers: dict[str, str]
    enrolment_key: Path
    var: Path
    delivery: Delivery
    nodes: Nodes
    room: Room
    tickets: Issuer
    now: Callable[[], int] = clock.now


def note_refused(parts: Parts, refused: Refused) -> None:
    """Add to the audit list that somebody was refused, here or at another server."""
    deed = Deed(
        at=parts.now(), who=refused.who, via=refused.via, address=refused.address, action=REFUSE, what=refused.what
    )
    parts.registry.shelf.note(deed)


def note(parts: Parts, action: str, what: str, who: str | None = None, via: str | None = None) -> None:
    """Add to the audit list what the one who is asking has just done; or `who`, by way of `via`."""
    asker = None if who else principal()
    parts.registry.shelf.note(
        Deed(
            at=parts.now(),
            who=who or (asker.name if asker else ""),
            via=asker.via if asker else via,
            address=(asker.address if asker else None) or request.remote_addr,
            action=action,
            what=what,
        )
    )


def note_revision(parts: Parts, outcome: Outcome) -> None:
    """Add to the audit list that somebody made a revision; who was taken away with it has no way in any more."""
    for change in outcome.changes:
        if change.after is None and change.key.kind == "user":
            parts.people.forget(change.key.name)
        elif change.after is None and change.key.kind == "node":
            parts.credentials.end(change.key.name)
            parts.delivery.forget(change.key.name)
    if outcome.changes:
        note(parts, "configure", f"revision {outcome.revision}: {in_short(outcome.changes)}")


def in_short(changes: list[Change], shown: int = 5) -> str:
    """Return changes as words: ``create node a, delete check b and 3 more``."""
    words = ", ".join(f"{each.action} {each.key.kind} {each.key.name}" for each in changes[:shown])
    return words + (f" and {len(changes) - shown} more" if len(changes) > shown else "")
