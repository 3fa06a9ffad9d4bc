"""Taking records in: wire batches with keys of their own, and lines without, which get a receive counter."""

import logging
import threading
import uuid
from collections.abc import Sequence

from nodeward.core import batch as wire
from nodeward.core import clock
from nodeward.core.auth import Principal
from nodeward.core.batch import Batch, Builder
from nodeward.core.errors import BadInput, NodewardError
from nodeward.store.base import LogShelf, Outcome

log = logging.getLogger(__name__)


class Receiver:
    """Stores what comes in. `trouble` says why nothing could be stored the last time, until something is."""

    def __init__(self, shelf: LogShelf) -> None:
        self._shelf = shelf
        self._generation = uuid.uuid4().hex
        self._counters: dict[tuple[str, str], int] = {}
        self._counting = threading.Lock()
        self.trouble = ""
        self.records = self.repeats = 0

    def batches(self, body: bytes, sender: Principal) -> Outcome:
        """Store the batches of a request. Raise BadInput, or NotAllowed where `sender` cannot speak for their node."""
        found = list(wire.decode(body))
        if not found:
            raise BadInput("The body is empty; it must be one or more batches.")
        for batch, _ in found:
            sender.must_speak_for(batch.node)
        return self.store(found)

    def lines(self, node: str, source: str, lines: Sequence[str]) -> Outcome:
        """Store lines that have no offsets of their own."""
        if not lines:
            return Outcome(0, 0)
        with self._counting:  # what is counted later is stored later, or it would pass for a repeat
            first = self._counters.get((node, source), 0)
            builder = Builder(node, source, self._generation)
            for number, line in enumerate(lines):
                builder.add(line.encode("utf-8", "surrogatepass"), first + number, host=node)
            batch = builder.build(first + len(lines))
            outcome = self.store([(batch, wire.encode(batch))])
            self._counters[node, source] = first + len(lines)
        return outcome

    def store(self, batches: Sequence[tuple[Batch, bytes]]) -> Outcome:
        """Store batches durably."""
        try:
            outcomes = self._shelf.append(batches, clock.now())
        except NodewardError as error:
            if error.retry and not self.trouble:
                self.trouble = error.detail
                log.error("records are refused until this is mended: %s", error)
            raise
        if self.trouble:
            log.warning("records are stored again")
            self.trouble = ""
        total = Outcome(sum(one.accepted for one in outcomes), sum(one.repeated for one in outcomes))
        self.records += total.accepted
        self.repeats += total.repeated
        return total
