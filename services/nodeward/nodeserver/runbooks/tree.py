"""Everything a run started, and its end: children, their children, and those that went their own way.

A run's process is a subreaper: whatever loses its parent becomes its child instead of init's, so nothing gets out of sight. What
is left where the run's own process was killed bears the run's mark in its environment.
"""

import ctypes
import os
import resource
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import psutil

MARK = "NODEWARD_RUN"
GRACE_SECONDS = 3.0
LAST_SECONDS = 10.0
_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """Let orphans below this process become its children; keep its memory out of core files."""
    if ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "this process cannot adopt orphans")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def below() -> list[psutil.Process]:
    """Return what lives below this process."""
    return [each for each in psutil.Process().children(recursive=True) if _lives(each)]


def marked(run: str) -> list[psutil.Process]:
    """Return the processes that bear a run's mark, as far as they can be looked into."""
    found = []
    for each in psutil.process_iter():
        try:
            if each.pid != os.getpid() and each.environ().get(MARK) == run:
                found.append(each)
        except (psutil.Error, OSError):
            pass  # gone, or somebody else's
    return found


def process(about: Mapping[str, Any]) -> psutil.Process | None:
    """Return a run's own process by what its record knows (`pid`, `created`), if it is still that one."""
    try:
        found = psutil.Process(about["pid"])
        same = created(found.pid) == about["created"] and found.status() != psutil.STATUS_ZOMBIE
    except (KeyError, psutil.Error):
        return None
    return found if same else None


def created(pid: int) -> float:
    """Return when a process began, in seconds since the machine did; 0 if it has ended.

    The time of day at which it began would be another one after the clock was set, and the process pass for another.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0.0
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def lives(about: Mapping[str, Any]) -> bool:
    """Whether a run's own process does."""
    return process(about) is not None


def end(find: Callable[[], list[psutil.Process]], grace: float = GRACE_SECONDS) -> bool:
    """Ask what `find` finds to end, then end it; what it starts meanwhile too. Return whether nothing is left."""
    _signal(find(), signal.SIGTERM, signal.SIGHUP, signal.SIGCONT)
    if _gone(find, grace):
        return True
    until = time.monotonic() + LAST_SECONDS
    while time.monotonic() < until:
        _signal(find(), signal.SIGKILL)
        if _gone(find, 0.5):
            return True
    return False


def reap(but: int | None = None) -> None:
    """Bury adopted children that ended; `but` has somebody who waits for it."""
    for each in psutil.Process().children():
        try:
            if each.pid != but and each.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(each.pid, os.WNOHANG)
        except (psutil.Error, OSError):
            pass  # buried already


def _gone(find: Callable[[], list[psutil.Process]], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while find():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def _signal(processes: Iterable[psutil.Process], *numbers: int) -> None:
    for each in processes:
        for number in numbers:
            try:
                each.send_signal(number)
            except (psutil.Error, OSError):
                pass  # gone


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
