"""Whether a new file is the copy that copytruncate made: told from the original, however late one looks."""

import os
import shutil
from collections import Counter

import pytest

from nodeward.core import batch
from nodeward.tailflog import config
from nodeward.tailflog.checkpoint import Checkpoint
from nodeward.tailflog.follow import Tail
from nodeward.tailflog.follow.copies import PATIENCE
from nodeward.tailflog.spool import Position, Spool


class _Followed:
    """`app.log` and what rotation makes of it, followed without a thread: `look` is all that happens."""

    def __init__(self, directory):
        self.path = directory / "app.log"
        self.path.write_bytes(b"".join(b"line %d of the first\n" % number for number in range(200)))
        self.spool = Spool(directory / "state", 1 << 30)
        self.tail = Tail(self.spool, Checkpoint(directory / "state"), polling=True)
        self.tail.apply(config.verified({"node": "n", "sources": [{"source": "s", "paths": [f"{self.path}*"]}]}, "It"))
        self.look()

    def look(self):
        self.tail._scan_at = self.tail._poll_at = 0.0
        for _ in range(5):
            self.tail.wake()
            self.tail.unit()

    def stand_still(self):
        """Let more time pass, for all that files know of it, than a copy is waited for. The copy will have its turn first."""
        for stream in self.tail.files.streams:
            stream.active -= 2 * PATIENCE
            stream.spent += stream.life.offset  # whoever read more waits longer

    def lines(self):
        bodies = [frame.body for frame in self.spool.frames(Position(1, 0)) if frame.body]
        return Counter(
            record.raw for body in bodies for one, _ in batch.decode(body) for record in batch.records(one, 0)
        )


@pytest.fixture
def followed(tmp_path):
    one = _Followed(tmp_path)
    yield one
    one.tail.stop()
    one.spool.close()


@pytest.mark.parametrize("more", [b"", b"what came after that\n", b"what came after that\n" * 1000])
def test_a_copy_whose_original_was_truncated_while_nobody_looked_is_shipped_once(followed, more):
    shutil.copyfile(followed.path, f"{followed.path}.1")
    followed.look()
    assert sum(followed.lines().values()) == 200  # it waits
    os.truncate(followed.path, 0)
    with followed.path.open("ab") as file:
        file.write(more)
    followed.stand_still()
    followed.look()
    came = followed.lines()
    assert came.pop(b"what came after that", 0) == more.count(b"\n")
    assert (set(came.values()), len(came)) == ({1}, 200)


def test_a_copy_whose_original_stays_as_it_is_is_a_file_of_its_own_in_the_end(followed):
    shutil.copyfile(followed.path, f"{followed.path}.1")
    followed.look()
    followed.stand_still()
    followed.look()
    assert set(followed.lines().values()) == {2}
