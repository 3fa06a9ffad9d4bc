"""From the spool to the log server: in order, again and again until it says yes, and past what it can never take.

A batch that the server refuses for good (400, 413 of a single record, 422, …) is put aside with the reason, so that it does
not block what is behind it. A refused token is no such reason: it is read again, and everything waits; unless somebody sits
before the screen (`gives_up`), who is told at once.
"""

import itertools
import logging
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from nodeward.core import batch, clock
from nodeward.core.client import Client
from nodeward.core.errors import BadInput, NodewardError, NotAllowed, NotAuthenticated, NotFound, Unavailable
from nodeward.core.files import write_atomic
from nodeward.core.log import no_shipping
from nodeward.tailflog.checkpoint import Checkpoint
from nodeward.tailflog.spool import Frame, Spool

log = logging.getLogger(__name__)
no_shipping(__name__)  # a line about shipping must not make another

BODY = 4 * 1024 * 1024  # bytes of batches in one request
FRAMES = 512
TIMEOUT = 30.0
LONGEST_WAIT = 15.0
HOPELESS = 3  # batches refused for good, and none taken: it is not the batches


class Sink(Protocol):
    """Where batches go."""

    def deliver(self, body: bytes) -> None:
        """Return when the batches are durable. Raise NodewardError: BadInput if they never will be, with its HTTP status."""


class LogServer:
    """The log server, and the token shown to it. Both may change while the program runs."""

    def __init__(self, token: Callable[[], str], url: str = "") -> None:
        self._token, self._url = token, url
        self._client: Client | None = None

    def use(self, url: str) -> None:
        """Send to the log server at `url` from now on."""
        if url != self._url:
            self._url, self._client = url, None

    def client(self) -> Client:
        """Return the client. Raise Unavailable or ConfigError while URL or token are not known."""
        if not self._url:
            raise Unavailable("Where the log server is, is not known yet: the node's bundle has not come.")
        if self._client is None:
            self._client = Client(self._url, self._token, timeout=TIMEOUT)
        return self._client

    def deliver(self, body: bytes) -> None:
        """See Sink."""
        try:
            self.client().request(
                "POST", "/api/v1/batches", body=body, headers={"Content-Type": batch.CONTENT_TYPE}, timeout=TIMEOUT
            )
        except (NotAuthenticated, NotAllowed):
            self._client = None  # read the token again next time
            raise


class Sender:
    """Takes frames from the spool and delivers them; one thread. `unit` returns whether it delivered any."""

    def __init__(
        self,
        spool: Spool,
        checkpoint: Checkpoint,
        sink: Sink,
        dead: Path,
        delivered: Callable[[], None] = lambda: None,
        *,
        gives_up: bool = False,
    ) -> None:
        self._spool, self._checkpoint, self._sink, self._dead = spool, checkpoint, sink, dead
        self._delivered, self._gives_up = delivered, gives_up
        self._position = checkpoint.position
        self._failures = 0
        self._failing_since = 0.0
        self._retry_at = 0.0
        self.sent = 0  # bytes
        self.refused = 0  # batches put aside
        self.trouble = ""
        self.hopeless: NodewardError | None = None  # why nothing more is tried (only where it `gives_up`)

    def unit(self) -> bool:
        """Deliver what is waiting, at most one request's worth."""
        if self.hopeless or time.monotonic() < self._retry_at or not self._spool.wait(self._position, 0.5):
            return False
        frames = self._gather()
        if not frames:
            self._position = self._spool.end  # nothing readable is left before it
            self._spool.acknowledge(self._position)
            return False
        if any(frame.fresh for frame in frames):
            self._spool.sync()  # a life's generation must not be forgotten once the server knows it
        try:
            self._deliver([frame.body for frame in frames if frame.body])
        except NodewardError as error:
            self._failed(error)
            return False
        self._done(frames)
        return True

    def _gather(self) -> list[Frame]:
        frames, size = [], 0
        for frame in itertools.islice(self._spool.frames(self._position), FRAMES):
            frames.append(frame)
            size += len(frame.body)
            if size >= BODY:
                break
        return frames

    def _deliver(self, bodies: list[bytes]) -> None:
        """Deliver batches in order; where the server refuses several at once, find out which it means."""
        if not bodies:
            return
        try:
            self._sink.deliver(b"".join(bodies))
            self.sent += sum(map(len, bodies))
        except NotFound:
            raise  # that is no log server: a matter of the URL, not of the batch
        except BadInput as error:
            if len(bodies) > 1:
                middle = len(bodies) // 2
                self._deliver(bodies[:middle])
                self._deliver(bodies[middle:])
            elif error.status == 413 and (halves := halved(bodies[0])):
                self._deliver(halves)
            elif self._gives_up and self.refused >= HOPELESS and not self.sent:
                raise
            else:
                self._put_aside(bodies[0], error)

    def _put_aside(self, body: bytes, error: NodewardError) -> None:
        self.refused += 1
        name = f"{clock.now()}-{self.refused}"
        write_atomic(self._dead / f"{name}.batch", body, mode=0o600)
        write_atomic(self._dead / f"{name}.reason", f"{error}\n", mode=0o600)
        log.error("The log server refuses a batch for good; it lies in %s/%s.batch. %s", self._dead, name, error)

    def _failed(self, error: NodewardError) -> None:
        if self._gives_up and not error.retry:
            self.hopeless = error
            return
        self._failures += 1
        wait = min(LONGEST_WAIT, 0.1 * 2 ** min(self._failures, 10)) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        self._retry_at = time.monotonic() + wait
        if not self.trouble:
            self._failing_since = time.monotonic()
            log.warning("Batches are kept in the spool until the log server takes them: %s", error)
        self.trouble = str(error)

    def _done(self, frames: list[Frame]) -> None:
        if self.trouble:
            seconds = time.monotonic() - self._failing_since
            log.info("The log server takes batches again, after %.0f s; %d bytes wait.", seconds, self._spool.waiting)
        self._failures, self.trouble = 0, ""
        self._position = frames[-1].after
        self._checkpoint.acknowledge(frames)
        self._spool.acknowledge(self._position)
        self._delivered()


def halved(body: bytes) -> list[bytes]:
    """Return a batch as two with half of its records each, none if it has but one."""
    ((whole, _),) = batch.decode(body)
    if whole.count < 2:
        return []
    middle = whole.count // 2
    return [batch.encode(_part(whole, 0, middle)), batch.encode(_part(whole, middle, whole.count))]


def _part(whole: batch.Batch, start: int, stop: int) -> batch.Batch:
    builder = batch.Builder(whole.node, whole.source, whole.generation, whole.path, whole.format)
    starts, ends = batch.column(whole, "message_starts"), batch.column(whole, "message_ends")
    times = batch.column(whole, "times")
    offsets = batch.column(whole, "offsets")
    for index, record in enumerate(batch.records(whole, received=0)):
        if start <= index < stop:
            builder.add(
                record.raw,
                record.offset,
                time=times[index],
                level=record.level,
                host=record.host,
                ident=record.ident,
                pid=record.pid,
                message=(starts[index], ends[index]),
                text=whole.texts.get(index),
                fields=record.fields,
                error=record.parse_error,
            )
    return builder.build(whole.end if stop == whole.count else offsets[stop])
