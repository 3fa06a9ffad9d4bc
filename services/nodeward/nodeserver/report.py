"""Results on their way to the monitor: into the spool at once, out of it in reports, until the monitor has them."""

import json
import logging
import random
import time
from collections import deque
from collections.abc import Callable

from pydantic_core import PydanticSerializationError, to_json

from nodeward.core import clock
from nodeward.core.client import Client
from nodeward.core.errors import BadInput, NodewardError
from nodeward.core.spool import Records, Spool
from nodeward.core.trouble import Trouble
from nodeward.core.words import whole_text
from nodeward.nodeserver.runner import Row
from nodeward.nodeserver.schedule import Key

log = logging.getLogger(__name__)

MOST_RESULTS = 2000
LONGEST_WAIT = 15.0
MOST_HELD = 20_000  # results kept in memory while the disk takes none


class Reporter:
    """`take` puts results into the spool, `unit` sends one report: results, or none as a sign of life."""

    def __init__(
        self,
        spool: Spool,
        reporter: str,
        monitor: Callable[[], Client],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spool, self._reporter, self._monitor, self._now = spool, reporter, monitor, now
        self._held: deque[bytes] = deque(maxlen=MOST_HELD)
        self._wait, self._not_before, self._trouble = 0.0, 0.0, Trouble(log, now)
        self._limit = MOST_RESULTS
        self._last_sent = float("-inf")
        self.wake: Callable[[], None] = lambda: None
        self.hurry: Callable[[list[Key]], None] = lambda _: None  # called with the checks that the monitor wants now
        self.heartbeat = 15.0
        self.revision: int | None = None
        self.fault: str | None = None
        self.refused = 0  # results that the monitor would not have
        self.overflowed = 0  # results lost because neither the disk nor memory had room

    def take(self, rows: list[Row]) -> None:
        """Keep results until they are sent. While the disk takes none they are held in memory."""
        records = [encoded(row) for row in rows]
        if self._held:
            records = [*self._held, *records]
            self._held.clear()
        try:
            self._spool.append(records)
            self.fault = None
        except NodewardError as error:
            if self.fault is None:
                log.error("%s; results are held in memory meanwhile", error.detail.rstrip("."))
            self.fault = error.detail
            self.overflowed += max(0, len(records) - MOST_HELD)
            self._held.extend(records)
        self.wake()

    def unit(self) -> bool:
        """Send one report if there is something to send or a sign of life is due. Return whether there may be more."""
        now = self._now()
        if now < self._not_before:
            return False
        following = self._spool.next_sequence  # before reading: what is appended meanwhile comes with the next report
        records = self._spool.read(self._limit)
        if records is None and now < self._last_sent + self.heartbeat:
            return False
        try:
            self._send(records, following)
        except BadInput as error:
            self._refused(records, error)
            return records is not None
        except NodewardError as error:
            self._later(now, error)
            return False
        self._sent(records, now)
        return records is not None

    def _send(self, records: Records | None, following: int) -> None:
        generation, first = (
            (self._spool.generation, following) if records is None else (records.generation, records.first)
        )
        results = [] if records is None else records.records
        body = report(self._reporter, self.revision, generation, first, results, clock.now())
        answer = self._monitor().request(
            "POST", "/api/v1/results", body=body, headers={"Content-Type": "application/json"}
        )
        if found := wanted(answer.data):
            self.hurry(found)

    def _sent(self, records: Records | None, now: float) -> None:
        if records is not None:
            self._spool.acknowledge(records)
            self._limit = min(MOST_RESULTS, self._limit * 2)
        if self._trouble.end() is not None:
            log.info("the monitor takes results again")
        self._last_sent, self._wait, self._not_before = now, 0.0, 0.0

    def _later(self, now: float, error: NodewardError) -> None:
        self._wait = min(LONGEST_WAIT, max(0.5, self._wait * 2))
        self._not_before = now + self._wait * random.uniform(0.7, 1.3)  # noqa: S311 - jitter
        self._trouble.meet(error, "Results are kept until the monitor takes them: %s")

    def _refused(self, records: Records | None, error: BadInput) -> None:
        """The monitor will never take this report: find the result that is wrong, and give up that one alone."""
        if records is None:
            self._later(self._now(), error)
        elif len(records.records) > 1:
            self._limit = max(1, len(records.records) // 2)
        else:
            self.refused += 1
            log.error("The monitor refused a result, it is given up: %s: %.300r", error, records.records[0])
            self._spool.acknowledge(records)


def wanted(answer: bytes) -> list[Key]:
    """Return the checks that the monitor's answer wants to be run now."""
    try:
        return [(str(row["node"]), row["service"]) for row in json.loads(answer).get("wanted", [])]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []  # whatever else it answered, it took the report


def encoded(row: Row) -> bytes:
    """Return a result as it goes over the wire: JSON. What is no text in it (a file's name may be none) shows as \\xNN."""
    try:
        return to_json(row)
    except PydanticSerializationError:
        return to_json({name: whole_text(value) if isinstance(value, str) else value for name, value in row.items()})


def report(reporter: str, revision: int | None, generation: str, first: int, results: list[bytes], at: int) -> bytes:
    """Return the body of a report (core.results.Report): the results are in their wire form already."""
    head = {"reporter": reporter, "generation": generation, "first": first, "sent": at, "revision": revision}
    return json.dumps(head)[:-1].encode() + b',"results":[' + b",".join(results) + b"]}"
