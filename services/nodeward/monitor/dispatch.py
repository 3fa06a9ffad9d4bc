"""Acts on the outbox: turns flips that may be told into deliveries, and sends what is due."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from nodeward.core import clock
from nodeward.monitor import flips, messages, routes
from nodeward.monitor.board import Board, Draft
from nodeward.monitor.definitions import Contact
from nodeward.monitor.flips import DROPPED, FAILED, SENT, TOLD, Delivery, Drop, Flip, Hold
from nodeward.monitor.notifiers.base import Notifier, NotifyFailed
from nodeward.monitor.states import SECOND
from nodeward.monitor.writer import Writer
from nodeward.store.base_states import HELD, SENDING, WAITING, Key, StateShelf

log = logging.getLogger(__name__)

_NEVER = 2**62
_LEASE = 120 * SECOND
_FIRST_PAUSE, _LONGEST_PAUSE = 15 * SECOND, 1800 * SECOND
_GIVE_UP = 24 * 3600 * SECOND  # after so long a message is no news any more; the failure stays on view


class Outbox:
    """Decides on flips. Runs on the writer's thread, on drafts."""

    def __init__(self, shelf: StateShelf, notifiers: dict[str, Notifier]) -> None:
        self._shelf, self._notifiers = shelf, notifiers
        self._watched: dict[int, tuple[tuple[Key, ...], int]] = {}
        self._awaited: dict[int, tuple[Key, ...]] = {}
        self._wanted: dict[str, frozenset[Key]] = {}

    def wanted(self, reporter: str) -> frozenset[Key]:
        """Return what `reporter` should check now, because somebody's alert waits for it."""
        return self._wanted.get(reporter, frozenset())

    def route(self, draft: Draft) -> None:
        """Look at every open flip whose time has come or whose surroundings have changed."""
        due = [flip for flip in draft.flips.values() if flip.is_open and self._is_due(draft, flip)]
        unsent: dict[Key, list[Delivery]] = {}
        for each in draft.deliveries.values() if due else ():
            unsent.setdefault((each.node, each.service), []).append(each)
        for flip in due:
            verdict = flips.judge(flip, draft.fleet, draft.calendar, draft.look, draft.now)
            if isinstance(verdict, Hold):
                self._hold(draft, flip, verdict)
            else:
                self._watched.pop(flip.id, None)
                self._awaited.pop(flip.id, None)
                reason = (
                    verdict.reason if isinstance(verdict, Drop) else self._tell(draft, flip, unsent.get(flip.key, []))
                )
                if reason is not None:
                    draft.flips[flip.id] = replace(flip, status=DROPPED, reason=reason, due=_NEVER)
        if due:
            self._gather_wanted(draft)

    def _gather_wanted(self, draft: Draft) -> None:
        found: dict[str, set[Key]] = {}
        for number, keys in list(self._awaited.items()):
            flip = draft.flips.get(number)
            if flip is None or not flip.is_open:
                del self._awaited[number]  # it was overtaken
                continue
            for key in keys:
                node = draft.fleet.nodes.get(key[0])
                if node is not None and node.reporter:
                    found.setdefault(node.reporter, set()).add(key)
        self._wanted = {reporter: frozenset(keys) for reporter, keys in found.items()}

    def _is_due(self, draft: Draft, flip: Flip) -> bool:
        if flip.due <= draft.now:
            return True
        if flip.status == WAITING:
            return False
        keys, seq = self._watched.get(flip.id, ((), -1))
        return seq < 0 or any(state.seq > seq for key in keys if (state := draft.look(key)))

    def _hold(self, draft: Draft, flip: Flip, verdict: Hold) -> None:
        self._watched[flip.id] = (verdict.watch, draft.seq)
        self._awaited[flip.id] = verdict.wanted
        held = replace(flip, status=HELD, reason=verdict.reason, due=verdict.until or _NEVER)
        if (
            (held.status, held.reason) != (flip.status, flip.reason)
            or verdict.until is None
            or verdict.until > flip.due
        ):
            draft.flips[flip.id] = held

    def _tell(self, draft: Draft, flip: Flip, unsent: Sequence[Delivery]) -> str | None:
        """Make the deliveries of a flip. Return why there are none, None if there are or it must wait for another.

        `unsent` are the deliveries of the same node or service that are not over, or only just.
        """
        earlier = [each for each in unsent if each.is_open]
        if flip.kind == flips.RECOVERY and any(each.status == SENDING for each in earlier):
            self._hold(draft, flip, Hold("The problem is being told just now.", (), draft.now + SECOND))
            return None
        for each in earlier:
            if each.status == WAITING:
                draft.deliveries[each.id] = replace(each, status=DROPPED, error="Overtaken before it could be sent.")
        people = self._receivers(draft, flip, unsent)
        if not people:
            told = flip.kind == flips.RECOVERY
            return "Nobody had been told of the problem." if told else "No contact and no route is for it."
        for contact in people:
            self._address(draft, flip, contact)
        draft.flips[flip.id] = replace(flip, status=TOLD, reason="", due=_NEVER)
        return None

    def _receivers(self, draft: Draft, flip: Flip, unsent: Sequence[Delivery]) -> list[Contact]:
        """A problem goes to those it concerns, a recovery to those who were told of the problem."""
        if flip.kind != flips.RECOVERY:
            return routes.contacts(draft.fleet, flip.key, flip.state, draft.now)
        told = set(self._shelf.told(flip.key, flip.episode))
        told |= {each.contact for each in unsent if each.status == SENT and each.flip >= flip.episode}
        return [draft.fleet.contacts[name] for name in sorted(told & draft.fleet.contacts.keys())]

    def _address(self, draft: Draft, flip: Flip, contact: Contact) -> None:
        opens = routes.opens(draft.fleet, contact, draft.now)
        for channel, address in addresses(contact):
            draft.last_delivery += 1
            made = Delivery(
                draft.last_delivery, flip.id, flip.node, flip.service, contact.name, channel,
                self._notifiers[channel].label(address), mark(address), draft.now, draft.now if opens is None else opens,
                flip.doc(),
            )  # fmt: skip
            if opens is None:
                made = replace(
                    made, status=DROPPED, error=f"The hours of {contact.name} ({contact.period}) never come."
                )
            draft.deliveries[made.id] = made


class Sender:
    """Sends what is due: everything for one address in one message. `unit` is a worker's piece of work."""

    def __init__(
        self,
        board: Board,
        shelf: StateShelf,
        writer: Writer,
        notifiers: dict[str, Notifier],
        link: str = "",
        now: Callable[[], int] = clock.now,
    ) -> None:
        self._board, self._shelf, self._writer, self._notifiers = board, shelf, writer, notifiers
        self._link, self._now = link, now
        self._busy: set[tuple[str, str]] = set()
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="notify")

    def unit(self) -> bool:
        """Start to send what is due, each address on a thread of its own. Return whether there was anything."""
        due = self._due()
        for address, deliveries in due.items():
            self._busy.add(address)
            self._pool.submit(self._send_all, address, deliveries)
        return bool(due)

    def close(self) -> None:
        """Let what is being sent finish."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _due(self) -> dict[tuple[str, str], list[Delivery]]:
        now = self._now()
        found: dict[tuple[str, str], list[Delivery]] = {}
        with self._board.lock:
            waiting = list(self._board.deliveries.values())
        for each in waiting:
            address = (each.contact, each.mark)
            free = each.status == WAITING or (each.lease or 0) < now
            if each.due <= now and free and address not in self._busy:
                found.setdefault(address, []).append(each)
        return found

    def _send_all(self, address: tuple[str, str], deliveries: list[Delivery]) -> None:
        try:
            now = self._now()
            claimed = self._writer.do(lambda draft: self._claim(draft, deliveries, now))
            if claimed:
                outcome = self._send(claimed)
                self._writer.do(lambda draft: self._finish(draft, claimed, outcome))
        except Exception:
            log.exception("notifications of %s could not be handled; they are tried again", address[0])
        finally:
            self._busy.discard(address)

    def _claim(self, draft: Draft, deliveries: Iterable[Delivery], now: int) -> list[Delivery]:
        """Take what is still to be sent, until the lease is over: if this process dies meanwhile, another try follows."""
        claimed = []
        for known in deliveries:
            each = draft.deliveries.get(known.id)
            if each is not None and each.is_open and (each.status == WAITING or (each.lease or 0) < now):
                taken = replace(each, status=SENDING, lease=now + _LEASE, tries=each.tries + 1)
                draft.deliveries[each.id] = taken
                claimed.append(taken)
        return claimed

    def _send(self, claimed: Sequence[Delivery]) -> NotifyFailed | None:
        """Send one message for all of `claimed`, which have one address. Return why that failed, None if it did not."""
        first = claimed[0]
        contact = self._board.fleet.contacts.get(first.contact)
        address = next((each for _, each in addresses(contact) if mark(each) == first.mark), None) if contact else None
        if address is None:
            return NotifyFailed(f"{first.contact} does not have the address {first.target} any more.", retry=False)
        told = [Flip(**each.what) for each in claimed]
        message = messages.compose(first.contact, told, self._board.fleet, self._board.look, self._link)
        try:
            self._notifiers[first.channel].send(address, message)
        except NotifyFailed as failure:
            log.warning("%s could not be told by %s: %s", first.contact, first.channel, failure)
            return failure
        return None

    def _finish(self, draft: Draft, claimed: Sequence[Delivery], failure: NotifyFailed | None) -> None:
        for each in claimed:
            done = after(each, failure, draft.now)
            draft.deliveries[each.id] = done
            if done.status != WAITING or done.tries == 1:
                draft.record(
                    "notification", (each.node, each.service), contact=each.contact, channel=each.channel,
                    target=each.target, flip=each.flip, kind=each.what["kind"], state=each.what["state"],
                    status="retrying" if done.status == WAITING else done.status, error=done.error,
                )  # fmt: skip


def after(delivery: Delivery, failure: NotifyFailed | None, now: int) -> Delivery:
    """Return the delivery after a try: sent, given up, or waiting for the next try, twice as long each time."""
    if failure is None:
        return replace(delivery, status=SENT, sent=now, lease=None, error="")
    if not failure.retry or now - delivery.created > _GIVE_UP:
        return replace(delivery, status=FAILED, lease=None, error=str(failure))
    pause = min(_FIRST_PAUSE * 2 ** (delivery.tries - 1), _LONGEST_PAUSE)
    return replace(delivery, status=WAITING, lease=None, due=now + pause, error=str(failure))


def addresses(contact: Contact) -> Iterator[tuple[str, str]]:
    """Return (channel, address) for every way to reach a contact."""
    if contact.email:
        yield "email", contact.email
    for url in contact.urls:
        yield "url", url


def mark(address: str) -> str:
    """Return what recognises an address without giving it away."""
    return hashlib.sha256(address.encode()).hexdigest()[:16]
