"""What was read goes onto the spool, each batch together with the life behind it; only then has the stream moved on."""

import time
from dataclasses import dataclass

from nodeward.core import clock
from nodeward.core.errors import NodewardError
from nodeward.tailflog.follow.stream import Chunk, Stream
from nodeward.tailflog.life import Life
from nodeward.tailflog.parse import encoded
from nodeward.tailflog.spool import Spool


class SpoolFault(NodewardError):
    """The spool cannot be written."""

    retry = True


@dataclass
class Counts:
    """What has been done since the start."""

    lines: int = 0
    bytes: int = 0


class Spooling:
    """Parses what streams took and puts it on the spool."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self.counts = Counts()

    @property
    def full(self) -> bool:
        """Whether reading has to pause."""
        return self._spool.full

    @property
    def waiting(self) -> int:
        """How many bytes the log server has not taken yet."""
        return self._spool.waiting

    def ship(self, stream: Stream, chunk: Chunk) -> None:
        """Put a chunk of a stream on the spool and move the stream behind it. Raise SpoolFault, moving nothing, if that fails."""
        changed = int(stream.changed * 1_000_000)
        batch = stream.parser.batch(chunk.lines, stream.life.generation, stream.path, min(clock.now(), changed))
        self._append(chunk.after, encoded(batch), stream.fresh or not chunk.settled)
        stream.accept(chunk)
        stream.active = time.monotonic()
        self.counts.lines += batch.count
        self.counts.bytes += chunk.size

    def keep(self, life: Life) -> None:
        """Put a life on the spool, so that it is known again. Raise SpoolFault if that fails."""
        self._append(life, b"", fresh=True)

    def _append(self, life: Life, body: bytes, fresh: bool) -> None:
        try:
            self._spool.append(life.packed(), body, fresh)
        except OSError as error:
            raise SpoolFault(f"the spool cannot be written ({error.strerror}); free space, or check the disk") from None
