"""Random writes, rotations, truncations, deletions, kills and outages against a model, without processes: quick and many.

Before it destroys bytes (a truncation, a deletion) the model lets them be read; so nothing at all may be lost.
"""

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nodeward.core import batch
from nodeward.core.errors import Unavailable
from nodeward.tailflog import config
from nodeward.tailflog.checkpoint import Checkpoint
from nodeward.tailflog.follow import Tail
from nodeward.tailflog.send import Sender
from nodeward.tailflog.spool import Spool
from torture.harness import LONG, line


class _Store:
    """What a log server keeps."""

    def __init__(self):
        self.lines, self.away = {}, False

    def deliver(self, body):
        if self.away:
            raise Unavailable("The store is away.")
        for one, _ in batch.decode(body):
            for record in batch.records(one, 0):
                key = (record.source, record.generation, record.offset)
                assert self.lines.setdefault(key, record.raw) == record.raw


class Following(RuleBasedStateMachine):
    @initialize(pattern=st.sampled_from(["app.log", "app.log*"]))
    def begin(self, pattern):
        self.directory = Path(tempfile.mkdtemp(prefix="tailflog-model-"))
        self.path = self.directory / "app.log"
        self.written, self.number, self.turn = [], 0, 0
        self.store = _Store()
        self.plan = config.verified(
            {"node": "n", "sources": [{"source": "s", "paths": [f"{self.directory}/{pattern}"]}]}, "the model's plan"
        )
        self.path.touch()
        self._start()
        self._look()

    def _start(self):
        self.spool = Spool(self.directory / "state", 1 << 30)
        self.checkpoint = Checkpoint(self.directory / "state")
        self.tail = Tail(self.spool, self.checkpoint, polling=True)
        self.tail.apply(self.plan)
        self.sender = Sender(self.spool, self.checkpoint, self.store, self.directory / "dead")

    def _look(self):
        self.tail._scan_at = self.tail._poll_at = 0.0
        rounds = 0
        while rounds < 3 or self.tail.behind:  # a round ends when its time is over, whatever is left
            self.tail.wake()  # a round waits for news
            self.tail.unit()
            rounds += 1
            assert rounds < 1000

    def _unread(self):
        stored = set(self.store.lines.values())
        return {text for text in self.written if text.encode() not in stored}

    @rule(count=st.integers(1, 40), filling=st.sampled_from(["", "x" * 30]))
    def write(self, count, filling):
        with self.path.open("a") as file:
            for _ in range(count):
                text = line("app", self.number, filling)
                self.number += 1
                file.write(text + "\n")
                self.written.append(text)

    @rule()
    def read(self):
        self._look()

    @rule()
    def ship(self):
        self._ship()

    def _ship(self):
        self.sender._retry_at = 0.0
        while self.spool.waiting and self.sender.unit():
            pass

    @rule()
    def read_then_rename(self):
        self._look()  # the file was seen: from then on none of its lines may be lost
        self.turn += 1
        self.path.rename(self.directory / f"app.log.{self.turn}")
        self.path.touch()

    @rule()
    def rename_unseen(self):
        self.turn += 1
        self.path.rename(self.directory / f"app.log.{self.turn}")
        self.path.touch()

    @rule()
    def copytruncate(self):
        self._look()
        self.turn += 1
        shutil.copyfile(self.path, self.directory / f"app.log.{self.turn}")
        os.truncate(self.path, 0)

    @rule()
    def truncate_after_reading(self):
        self._look()
        os.truncate(self.path, 0)

    @rule()
    def delete_after_reading(self):
        self._look()
        self.path.unlink()
        self.path.touch()

    @rule()
    def kill(self):
        self.tail.files.end()
        self.tail._watcher.close()
        os.close(self.spool._lock)  # all else a killed program leaves is on disk
        for descriptor in (self.spool._writer, *self.spool._readers.values()):
            os.close(descriptor)
        self._start()

    @rule()
    def checkpointed(self):
        self.checkpoint.write(self.spool)

    @rule(away=st.booleans())
    def outage(self, away):
        self.store.away = away

    @invariant()
    def nothing_is_there_twice_or_torn(self):
        if hasattr(self, "store"):
            stored = list(self.store.lines.values())
            assert len(stored) == len(set(stored))
            assert {raw.decode() for raw in stored} <= set(self.written)

    def teardown(self):
        if not hasattr(self, "store"):
            return
        self.store.away = False
        for stream in self.tail.files.streams:
            stream.active -= 10.0  # the patience with what may be a copy is over
        self._look()
        self._look()
        self._ship()
        try:
            assert not self._unread()
            self.nothing_is_there_twice_or_torn()
        finally:
            self.tail.stop()
            self.spool.close()
            shutil.rmtree(self.directory)


TestFollowing = Following.TestCase
TestFollowing.settings = settings(
    max_examples=400 if LONG else 25, stateful_step_count=25, deadline=None, derandomize=not LONG
)
