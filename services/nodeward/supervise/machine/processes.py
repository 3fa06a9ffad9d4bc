"""The processes of the appliance under one `NODEWARD_VAR`: its supervisord, and what is left of one that was killed."""

import os
import time
from pathlib import Path

import psutil

from nodeward.core.errors import NodewardError
from nodeward.supervise.client import Programs

STOP_SECONDS = 10.0
LOOK_SECONDS = 0.05


def supervisord(var: Path) -> psutil.Process | None:
    """Return the supervisord of the appliance under `var`, or None if none runs.

    Its pid file alone proves nothing: the process must have been given the configuration that lies there.
    """
    try:
        process = psutil.Process(int((var / "run" / "supervisord.pid").read_text()))
        ours = str(configuration_file(var)) in process.cmdline() and not ended(process)
    except (OSError, ValueError, psutil.Error):
        return None
    return process if ours else None


def configuration_file(var: Path) -> Path:
    """Return where the configuration of that supervisord lies."""
    return var / "run" / "supervisord.conf"


def answers(var: Path) -> bool:
    """Say whether that supervisord answers on its socket."""
    try:
        Programs(var, timeout=5.0).list()
    except NodewardError:
        return False
    return True


def names(running: psutil.Process) -> list[str]:
    """Return the names of the programs that a supervisord runs at this moment."""
    try:
        return [child.environ().get("SUPERVISOR_PROCESS_NAME", child.name()) for child in running.children()]
    except (psutil.Error, OSError):
        return []  # one ended just now: the list is only for show


def orphans(var: Path) -> list[psutil.Process]:
    """Return the programs that a supervisord under `var` started and that outlived it (someone killed it), with their children.

    They are told by the environment supervisor gave them. This process and its parents are never among them.
    """
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [process for process in psutil.process_iter() if process.pid not in spared and _started_under(process, var)]


def _started_under(process: psutil.Process, var: Path) -> bool:
    try:
        environment = process.environ()
    except (psutil.Error, OSError):
        return False  # gone meanwhile, or another user's
    return "SUPERVISOR_PROCESS_NAME" in environment and environment.get("NODEWARD_VAR") == str(var)


def end(processes: list[psutil.Process]) -> int:
    """Ask processes to end, kill those that do not within `STOP_SECONDS`. Return how many are gone."""
    for process in processes:
        _signal(process, kill=False)
    stubborn = _left(processes, STOP_SECONDS)
    for process in stubborn:
        _signal(process, kill=True)
    return len(processes) - len(_left(stubborn, STOP_SECONDS))


def ended(process: psutil.Process) -> bool:
    """Whether a process has ended. Its parent, which need not be us, may still have to take note: it is a zombie until then."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait(processes: list[psutil.Process], seconds: float) -> bool:
    """Wait until all have ended, at most so long. Return whether they have."""
    return not _left(processes, seconds)


def _left(processes: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    deadline = time.monotonic() + seconds
    while left := [process for process in processes if not ended(process)]:
        if time.monotonic() > deadline:
            break
        time.sleep(LOOK_SECONDS)
    return left


def _signal(process: psutil.Process, kill: bool) -> None:
    try:
        process.kill() if kill else process.terminate()
    except psutil.NoSuchProcess:
        pass  # it ended by itself
