"""Which processes are there: one that ended and waits for its parent's notice is not."""

import subprocess
import sys

import psutil

from nodeward.supervise.machine import processes
from support.until import until


def test_a_process_whose_parent_has_not_taken_note_of_its_end_has_ended():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    known = psutil.Process(child.pid)
    try:
        assert not processes.ended(known)
        assert not processes.wait([known], 0.1)
        child.stdin.close()
        until(lambda: known.status() == psutil.STATUS_ZOMBIE)
        assert processes.ended(known)
        assert processes.wait([known], 0)
        assert processes.end([known]) == 1
    finally:
        child.wait()
    assert processes.ended(known)
