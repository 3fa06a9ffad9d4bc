"""The contract of the log shelf: what every backend must keep. `choose_logs` says which backend is used.

A **stream** is (node, source, generation): one life of a file, or of a process that writes its own records. Within it the
offsets of records grow, and a shelf keeps one cursor per stream: the offset behind the last record it has.

What must hold, whatever the engine:

* *Exactly once.* `append` stores records at or above their stream's cursor and cuts off those below it, which are repeats. The
  cursor moves together with the records. A gap between the cursor and a batch's first offset is accepted.
* *Durable.* When `append` returns, a SIGKILL or a power cut loses nothing of it. When it raises, nothing of the call is stored.
* *Found at once.* What `append` returned for is found by every read that begins afterwards, in every part of the interface.
* *One order of arrival.* Each record gets a sequence number that only grows; `follow` reads in that order. Searching goes by the
  record's own time, then by sequence.
* *Stable ids.* A record's id never changes, whatever `compact` does to the way it is stored.
* *Nothing is hidden.* Where stored records cannot be read, reads pass over them and say so in `Scanned.damaged`.

`compact` and `retain` do one unit of work and may be killed at any moment: what reads give does not change by that.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from nodeward.core.batch import Batch, Record

MIN_TIME, MAX_TIME = -(2**62), 2**62


@dataclass(frozen=True, slots=True)
class Term:
    """A text that a line must contain, or must not (`exclude`), in any mixture of upper- and lower-case ASCII.

    `left` and `right` want a word to begin, or to end, there: both for a word or phrase, `right` false for ``prefix*``, neither
    for ``*part*``. A word is made of letters, digits, underscores and every byte above 127.
    """

    text: bytes
    exclude: bool = False
    left: bool = True
    right: bool = True


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """A field that a record must have with this value (in any mixture of cases), or must not (`exclude`)."""

    name: str
    value: str
    exclude: bool = False


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which records are wanted: all conditions must hold; an empty one always does.

    Names may hold ``*`` for any run of characters; one of several names is enough. `levels` are syslog severities, 255 for none.
    `regex` (RE2 syntax) is looked for in each physical line of a record. Times are µs since 1970: `start` included, `end` not.
    """

    nodes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    idents: tuple[str, ...] = ()
    levels: frozenset[int] | None = None
    terms: tuple[Term, ...] = ()
    fields: tuple[FieldTerm, ...] = ()
    regex: str = ""
    start: int = MIN_TIME
    end: int = MAX_TIME

    @property
    def reads_lines(self) -> bool:
        """Whether records must be read themselves, beyond their columns, to know if they match."""
        return bool(self.terms or self.fields or self.regex)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch: how many records were stored, how many had been before."""

    accepted: int
    repeated: int


@dataclass(frozen=True, slots=True)
class Found:
    """A record and its id."""

    id: str
    record: Record


@dataclass(frozen=True, slots=True)
class Damage:
    """Records that are stored but cannot be read: where, of what time (µs, both included), how many, why."""

    where: str
    start: int
    end: int
    records: int
    reason: str


@dataclass(slots=True)
class Scanned:
    """What answering took: records and bytes looked at, blocks opened or passed over by their filter, damage met."""

    records: int = 0
    bytes: int = 0
    blocks: int = 0
    passed_over: int = 0
    damaged: list[Damage] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Effort:
    """How much one request may do before it answers with what it has: bytes decompressed and seconds."""

    bytes: int = 96 * 1024 * 1024
    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Page:
    """Found records in the order asked for. `next` goes on from there (None: there is no more).

    `complete` is false where the effort was used up first: the items are all matches up to that point, perhaps none, and `next`
    goes on.
    """

    items: list[Found]
    next: str | None
    complete: bool
    scanned: Scanned


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Records in order of arrival, the cursor behind the last one looked at, and how many were skipped unseen."""

    items: list[Found]
    cursor: int
    skipped: int


@dataclass(frozen=True, slots=True)
class Bin:
    """How many records of each level (255: none) have a time in [start, end)."""

    start: int
    end: int
    levels: dict[int, int]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Bins over the whole range, oldest first. `exact` is false where the effort was used up before all was counted."""

    bins: list[Bin]
    exact: bool


@dataclass(frozen=True, slots=True)
class Top:
    """The most frequent values of a field with their counts, most frequent first. `exact` as in Histogram."""

    values: list[tuple[str, int]]
    exact: bool


@dataclass(frozen=True, slots=True)
class SourceTotals:
    """What a source of a node has stored; times are µs since 1970."""

    node: str
    source: str
    records: int
    bytes: int
    first: int
    last: int
    parse_errors: int


@dataclass(frozen=True, slots=True)
class Removed:
    """What retention removed."""

    records: int = 0
    bytes: int = 0
    days: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Figures:
    """For /metrics: records stored, bytes on disk, records that wait for compaction."""

    records: int
    bytes: int
    backlog: int
    more: dict[str, Any] = field(default_factory=dict)


class LogShelf(ABC):
    """Keeps log records. Safe to use from several threads. See the module's words for what must hold."""

    @abstractmethod
    def append(self, batches: Sequence[tuple[Batch, bytes]], received: int) -> list[Outcome]:
        """Store batches, each with the bytes it came as; `received` is now. Return what became of each.

        Raise BadInput if a batch contradicts itself, StoreFull if there is no room; then nothing of the call is stored.
        """

    @abstractmethod
    def search(
        self,
        query: LogQuery,
        *,
        cursor: str | None = None,
        limit: int = 100,
        newest_first: bool = True,
        effort: Effort | None = None,
    ) -> Page:
        """Return the next `limit` records that match, by time. Raise BadInput if `cursor` is none that this gave."""  # fmt: skip

    @abstractmethod
    def get(self, identifier: str) -> Found:
        """Return the record of that id. Raise NotFound if there is none, or no longer."""

    @abstractmethod
    def context(self, identifier: str, before: int, after: int) -> tuple[list[Found], Found, list[Found]]:
        """Return a record between its neighbours in the same stream, in the stream's order. Raise NotFound."""

    @abstractmethod
    def follow(self, query: LogQuery, after: int | None, limit: int) -> Arrivals:
        """Return matching records that arrived behind `after`, or the newest `limit` ones if that is None."""

    @abstractmethod
    def wait(self, after: int, seconds: float) -> bool:
        """Wait until something arrived behind `after`, at most so long. Return whether something did."""

    @abstractmethod
    def histogram(self, query: LogQuery, bins: int, effort: Effort | None = None) -> Histogram:
        """Count the records that match over the query's range, which must be bounded, in at most `bins` equal bins."""

    @abstractmethod
    def top(self, query: LogQuery, name: str, limit: int, effort: Effort | None = None) -> Top:
        """Return the most frequent values of node, source, host, ident or level among the records that match."""

    @abstractmethod
    def sources(self) -> list[SourceTotals]:
        """Return what each source of each node has stored, by node and source."""

    @abstractmethod
    def retain(self, before: int, max_bytes: int) -> Removed:
        """Remove what is older than `before` in its own time and was also received before it; then, while more than
        `max_bytes` lie on disk, the oldest. One unit of work: at most a day's records. Return what was removed.
        """

    @abstractmethod
    def compact(self, now: int) -> bool:
        """Do one unit of the work that makes stored records smaller and quicker to search. Return whether there was any."""

    @abstractmethod
    def records(self) -> Iterator[Record]:
        """Yield every record that is there when this begins, by arrival; what retention removes meanwhile may lack."""

    @abstractmethod
    def verify(self) -> Iterator[Damage]:
        """Read everything once and yield what cannot be read."""

    @abstractmethod
    def figures(self) -> Figures:
        """Return the figures for /metrics."""

    @abstractmethod
    def trouble(self) -> str:
        """Return in a sentence why the engine cannot be used just now, or "" if it can."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files and processes. What was acknowledged stays."""
