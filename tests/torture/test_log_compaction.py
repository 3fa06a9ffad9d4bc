"""SIGKILL of the compacting process at any moment: what reads give does not change, and the work is done in the end."""

import itertools
import random
import threading
import time
from pathlib import Path

import pytest

from nodeward.core.errors import Unavailable
from nodeward.store import sqlite_logs
from nodeward.store.base import LogQuery, Term
from nodeward.store.logblocks import compactor, sieve
from nodeward.store.logblocks.compactor import Process
from nodeward.store.sqlite_logs import SqliteLogShelf
from support.log_records import NOON, SECOND, Line, found, made

ROWS, BLOCKS, KILLS = 300, 40, 8


def test_sigkill_of_the_compacting_process_changes_nothing_that_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_logs, "BLOCK_ROWS", ROWS)
    monkeypatch.setattr(compactor, "BLOCK_ROWS", ROWS)
    process = Process(tmp_path / "logs")
    shelf = SqliteLogShelf(tmp_path / "logs", process)
    for block in range(BLOCKS):
        lines = [
            Line(b"row %d of block%d" % (row, block), NOON + (block * ROWS + row) * SECOND, host=f"web-{row % 5}")
            for row in range(ROWS)
        ]
        shelf.append([made(lines, source=f"s{block}")], NOON)
    query = LogQuery(terms=(Term(b"block7"),))
    before, of_block = found(shelf), found(shelf, query)
    chance, kills, took = random.Random(4), 0, 0.05
    for unit in itertools.count():
        killer = threading.Timer(chance.uniform(0.0, took), _kill, [process])  # the moment of the kill is the case
        if unit % 2 and kills < KILLS:  # every second time, so that it is at work by then, not starting
            killer.start()
            kills += 1
        began = time.monotonic()
        if not _compacted(shelf):
            break
        took = time.monotonic() - began
        killer.cancel()
        if kills == KILLS // 2:
            assert found(shelf) == before
    assert kills == KILLS
    assert found(shelf) == before
    assert found(shelf, query) == of_block
    assert len(of_block) == ROWS
    (day,) = shelf._all_days()
    with day.view() as view:
        assert len(view.sieves()) == BLOCKS // sieve.BLOCKS
    assert list(shelf.verify()) == []
    shelf.close()


def _compacted(shelf: SqliteLogShelf) -> bool:
    """Do one unit of work, in which the process may be killed. Return whether there was any."""
    try:
        return shelf.compact(NOON)
    except Unavailable:
        return True


def _kill(process: Process) -> None:
    running = process._process
    if running is not None:
        running.kill()
