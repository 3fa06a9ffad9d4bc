"""Turning hot batches into blocks, small blocks into larger ones, filters into sieves: each job may be killed and repeated.

A job is a dict, so that a process of its own can do it (`Process`): its lines of JSON go in at stdin and come out at stdout, and
it ends when its stdin does, that is, with the program that started it.
"""

import json
import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from nodeward.core import batch as wire
from nodeward.core.errors import BadInput, NodewardError, Unavailable
from nodeward.store import sqlite
from nodeward.store.errors import StoreFull
from nodeward.store.logblocks import block, day, rows, sieve
from nodeward.store.logblocks.codec import Damaged
from nodeward.store.logblocks.match import Mask
from nodeward.store.logblocks.reading import Reader
from nodeward.store.logblocks.rows import Numbers, Rows
from nodeward.store.logblocks.words import Wanted

log = logging.getLogger(__name__)

BLOCK_ROWS = 32768
BLOCK_BYTES = 16 * 1024 * 1024


class Compactor(Protocol):
    """Does jobs, here or in a process of its own."""

    def do(self, job: dict[str, Any]) -> dict[str, Any]:
        """Do a job and return what came of it. Raise NodewardError if it could not be done; it may be repeated."""

    def close(self) -> None:
        """Stop."""


class Inline:
    """Does jobs in this process: for tests and tools."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def do(self, job: dict[str, Any]) -> dict[str, Any]:
        """Do a job."""
        return perform(self._root, job)

    def close(self) -> None:
        """There is nothing to stop."""


class Process:
    """Does jobs in a process of its own, so that compaction and answering use a core each. It is started anew if it dies."""

    def __init__(self, root: Path) -> None:
        self._command = [sys.executable, "-m", __name__, str(root)]
        self._process: subprocess.Popen[str] | None = None

    def do(self, job: dict[str, Any]) -> dict[str, Any]:
        """Do a job."""
        if self._process is not None and self._process.poll() is not None:
            self.close()  # it died while there was nothing to do
        if self._process is None:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
            )
        try:
            answer = self._ask(self._process, job)
        except (OSError, ValueError):
            self.close()
            raise Unavailable("The compacting process ended in the middle of its work; it is started anew.") from None
        if "full" in answer:
            raise StoreFull(answer["full"])
        if "error" in answer:
            raise Unavailable(answer["error"])
        return answer

    def close(self) -> None:
        """End the process; a job at work is repeated another time."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _ask(self, process: subprocess.Popen[str], job: dict[str, Any]) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        answer: dict[str, Any] = json.loads(process.stdout.readline())
        return answer


def perform(root: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Do a job on the shelf in `root`. Return what came of it; raise NodewardError."""
    if job["do"] == "compact":
        return _compact(root, job["from"], job["to"])
    if job["do"] == "merge":
        return _merge(root, job["day"], job["ids"])
    return _gather(root, job["day"], job["ids"])


def day_path(root: Path, name: str) -> Path:
    """Return where a day's file lies."""
    return root / "days" / f"{name}.db"


def _compact(root: Path, from_seq: int, to_seq: int) -> dict[str, Any]:
    """Store the hot batches [from_seq, to_seq) as blocks, in place of whatever an earlier attempt left of them."""
    batches, unreadable = _hot(root, from_seq, to_seq)
    days = []
    if batches:
        together = rows.join(batches)
        numbers = together.times // day.DAY
        for number in np.unique(numbers).tolist():
            parts = _parts(together.take(np.flatnonzero(numbers == number)))
            blocks = [block.encode(part, from_seq, to_seq, place) for place, part in enumerate(parts)]
            days.append(day.name_of(number))
            writer = day.Writer(day_path(root, days[-1]))
            try:
                writer.put(blocks, from_seq, to_seq)
            finally:
                writer.close()
    return {"days": days, "unreadable": unreadable}


def _merge(root: Path, name: str, identifiers: Sequence[int]) -> dict[str, Any]:
    """Store one block in place of several. One that cannot be read stays as it is, and all with it."""
    path = day_path(root, name)
    one_day = day.Day(path)
    parts = []
    try:
        with one_day.view() as view:
            metas = dict(view.blocks(-(2**63), 2**63 - 1))
            for identifier in identifiers:
                parts.append(reader(view, identifier, metas[identifier]).rows())
    except Damaged as error:
        return {"damaged": str(error)}
    finally:
        one_day.close()
    old = [metas[identifier] for identifier in identifiers]
    merged = block.encode(
        rows.join(parts), min(meta.from_seq for meta in old), max(meta.to_seq for meta in old), min(m.part for m in old)
    )
    writer = day.Writer(path)
    try:
        writer.replace(identifiers, merged)
    finally:
        writer.close()
    return {}


def _gather(root: Path, name: str, identifiers: Sequence[int]) -> dict[str, Any]:
    """Move the filters of these blocks into a sieve. One whose filters cannot be read stays as it is."""
    path = day_path(root, name)
    one_day = day.Day(path)
    found, damaged = [], "there is nothing to gather"
    try:
        with one_day.view() as view:
            metas = dict(view.blocks(-(2**63), 2**63 - 1))
            for identifier in identifiers:
                try:
                    found.append((identifier, reader(view, identifier, metas[identifier]).filters()))
                except Damaged as error:
                    damaged = str(error)
    finally:
        one_day.close()
    if len(found) < 2:
        return {"damaged": damaged}
    writer = day.Writer(path)
    try:
        writer.gather(sieve.gather(found))
    finally:
        writer.close()
    return {}


def reader(view: day.View, identifier: int, meta: block.Meta, on_read: Any = lambda size: None) -> Reader:
    """Return what reads a block of a day's file."""

    def sift(wanted: Wanted) -> Mask:
        try:
            return view.sifted(meta.sieve, wanted).get(identifier, np.zeros(meta.pieces, np.bool_))
        except Damaged:  # a sieve that cannot be read costs time, but hides nothing
            return np.ones(meta.pieces, np.bool_)

    return Reader(
        meta,
        lambda: view.head(identifier),
        sift,
        lambda part, position, length: view.read(identifier, part, position, length),
        on_read,
    )


def _hot(root: Path, from_seq: int, to_seq: int) -> tuple[list[Rows], list[int]]:
    """Return the hot batches of that range, and the sequence numbers of those that cannot be read."""
    connection = sqlite.open_reader(root / "hot.db")
    batches, unreadable = [], []
    try:
        for seq, skip, received, data in connection.execute(
            "SELECT seq, skip, received, data FROM hot WHERE seq >= ? AND seq < ? ORDER BY seq", (from_seq, to_seq)
        ):
            try:
                ((batch, _),) = wire.decode(data)
                batches.append(rows.from_batch(batch, seq, received, skip))
            except (BadInput, ValueError):
                unreadable.append(seq)
    finally:
        connection.close()
    return batches, unreadable


def _parts(part: Rows) -> list[Rows]:
    """Cut a day's records by time into as many parts as make blocks of the right size."""
    wanted = max(round(part.count / BLOCK_ROWS), -(-len(part.raw) // (2 * BLOCK_BYTES)), 1)
    if wanted == 1:
        return [part]
    order: Numbers = np.argsort(part.times, kind="stable")
    return [part.take(np.sort(piece)) for piece in np.array_split(order, wanted) if len(piece)]


def main() -> int:
    """Do jobs from stdin until it ends."""
    root = Path(sys.argv[1])
    for line in sys.stdin:
        try:
            answer = perform(root, json.loads(line))
        except StoreFull as error:
            answer = {"full": str(error)}
        except NodewardError as error:
            answer = {"error": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
