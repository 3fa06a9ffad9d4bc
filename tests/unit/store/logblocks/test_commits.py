import dataclasses
import threading
from collections.abc import Sequence

import pytest

from nodeward.core.errors import BadInput, Unavailable
from nodeward.store.base import Outcome
from nodeward.store.logblocks.commits import Commits, Sent, Ticket
from support.log_records import NOON, made
from support.until import until


class Shelf:
    """Stores nothing; the first commit waits until it is let go. `fails` is raised by every commit with that many tickets."""

    def __init__(self, fails: int = 0) -> None:
        self.commits = Commits(self._commit, lambda: 0)
        self.sizes: list[int] = []
        self.first = threading.Event()
        self.go = threading.Event()
        self._fails = fails

    def _commit(self, tickets: Sequence[Ticket]) -> bool:
        self.sizes.append(len(tickets))
        if len(self.sizes) == 1:
            self.first.set()
            assert self.go.wait(30)
        if len(tickets) == self._fails:
            raise Unavailable("The disk is away.")
        for ticket in tickets:
            ticket.outcomes = [Outcome(batch.count, 0) for batch, _ in ticket.batches]
        return True


def sent(count: int) -> Sent:
    return [made([b"x"] * count)]


def four_callers(shelf: Shelf) -> dict[int, list[Outcome] | Exception]:
    """Append 1, 2, 3 and 4 records: the first alone, the others while that is being stored. Return what each was told."""
    told: dict[int, list[Outcome] | Exception] = {}

    def call(count: int) -> None:
        try:
            told[count] = shelf.commits.append(sent(count), NOON)
        except Unavailable as error:
            told[count] = error

    callers = [threading.Thread(target=call, args=(count,)) for count in range(1, 5)]
    callers[0].start()
    assert shelf.first.wait(30)
    for caller in callers[1:]:
        caller.start()
    until(lambda: len(shelf.commits._queue) == 3, 30)
    shelf.go.set()
    for caller in callers:
        caller.join()
    return told


def test_whoever_comes_while_one_is_stored_shares_the_next_commit_and_is_told_of_his_own() -> None:
    shelf = Shelf()
    assert four_callers(shelf) == {count: [Outcome(count, 0)] for count in range(1, 5)}
    assert shelf.sizes == [1, 3]


def test_a_commit_that_fails_fails_for_all_who_were_in_it_and_for_nobody_else() -> None:
    shelf = Shelf(fails=3)
    told = four_callers(shelf)
    assert told.pop(1) == [Outcome(1, 0)]
    assert [str(error) for error in told.values()] == ["The disk is away."] * 3
    assert shelf.commits.append(sent(5), NOON) == [Outcome(5, 0)]


def test_a_batch_that_contradicts_itself_is_in_no_commit() -> None:
    shelf = Shelf()
    shelf.go.set()
    (good,), (bad, data) = sent(1), made([b"one", b"two"])
    with pytest.raises(BadInput, match="offsets do not grow"):
        shelf.commits.append([good, (dataclasses.replace(bad, end=0), data)], NOON)
    assert shelf.sizes == []


def test_what_arrived_is_told() -> None:
    shelf = Shelf()
    shelf.go.set()
    with shelf.commits.arrived:
        teller = threading.Thread(target=shelf.commits.append, args=(sent(1), NOON))
        teller.start()
        assert shelf.commits.arrived.wait(30)
    teller.join()
