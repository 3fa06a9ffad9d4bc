"""A commit for all who wait: threads that append at the same time share one, so that one fsync or one document serves all."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from nodeward.core.batch import Batch
from nodeward.core.news import News
from nodeward.store.base import Outcome
from nodeward.store.logblocks.brake import Brake
from nodeward.store.logblocks.check import check

Sent = Sequence[tuple[Batch, bytes]]  # batches, each as it came, too


@dataclass(slots=True)
class Ticket:
    """One caller's batches on their way into a commit."""

    batches: Sent
    received: int
    outcomes: list[Outcome] = field(default_factory=list)
    error: Exception | None = None
    done: bool = False


class Commits:
    """Takes batches from any thread. `commit` stores those of all tickets, or raises; one of those who wait calls it for all.

    It sets each ticket's `outcomes` and returns whether there is something new, which `arrived` then tells. Whoever else changes
    what it changes holds `writing` meanwhile. `waiting` gives the bytes that wait for compaction: where they are too many, each
    call waits a little first, as senders have spools, and a shelf has none.
    """

    def __init__(self, commit: Callable[[Sequence[Ticket]], bool], waiting: Callable[[], int]) -> None:
        self.writing = threading.Lock()
        self.arrived = News()
        self.brake = Brake(waiting)
        self._commit = commit
        self._queueing = threading.Lock()
        self._queue: list[Ticket] = []

    def append(self, batches: Sent, received: int) -> list[Outcome]:
        """Store batches. Raise BadInput where one contradicts itself, or what the commit that they were in raised."""
        for batch, _ in batches:
            check(batch)
        self.brake.wait()
        ticket = Ticket(batches, received)
        with self._queueing:
            self._queue.append(ticket)
        with self.writing:
            if not ticket.done:
                self._commit_all()
        if ticket.error:
            raise ticket.error
        return ticket.outcomes

    def tell(self) -> None:
        """Something arrived: wake those who wait for it."""
        with self.arrived:
            self.arrived.notify_all()

    def _commit_all(self) -> None:
        with self._queueing:
            tickets, self._queue = self._queue, []
        new = False
        try:
            new = self._commit(tickets)
        except Exception as error:
            for ticket in tickets:
                ticket.error = error
        for ticket in tickets:
            ticket.done = True
        if new:
            self.tell()
