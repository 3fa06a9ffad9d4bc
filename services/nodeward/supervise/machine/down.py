"""`script/down`: stop everything that `script/up` started under this NODEWARD_VAR, and nothing else."""

import sys
import time
from pathlib import Path

import click
import psutil

from nodeward.core.errors import EXIT_FAILED, EXIT_OK
from nodeward.core.program import guarded
from nodeward.core.settings import Settings, load
from nodeward.supervise import images
from nodeward.supervise.machine import processes

MARGIN_SECONDS = 10.0  # supervisord looks once a second
PATIENCE_SECONDS = 30.0  # a busy machine takes its time; nobody kills supervisord meanwhile
DEFAULT_STOP_SECONDS = 10.0  # supervisor's own stopwaitsecs
TELL_SECONDS = 5.0
LAST_WORDS = 10


def main() -> int:
    """Stop the appliance, wait for it, say what was done."""
    settings = load(Settings)
    running = processes.supervisord(settings.var)
    stopped = (
        stop(running, settings.var, budget(images.read_all(settings.home)) + PATIENCE_SECONDS) if running else True
    )
    left = processes.orphans(settings.var) if stopped else []
    if left:
        click.echo(f"Ended {processes.end(left)} processes that had lost their supervisord.")
    elif not running:
        click.echo(f"Nothing of the appliance under {settings.var} runs.")
    return EXIT_OK if stopped else EXIT_FAILED


def stop(running: psutil.Process, var: Path, seconds: float) -> bool:
    """Ask supervisord to stop its programs and itself, and say who is still there. Return whether it ended in time."""
    click.echo(f"Stopping {_names(running)} …")
    began = time.monotonic()
    running.terminate()
    while not processes.wait([running], TELL_SECONDS):
        passed = time.monotonic() - began
        if passed > seconds:
            click.echo(
                f"supervisord (pid {running.pid}) still stops its programs after {passed:.0f} s; script/status tells more. "
                f"The end of its log:\n{_last_words(var)}"
            )
            return False
        click.echo(f"  {passed:.0f} s: {_names(running)} still running")
    click.echo(f"Stopped in {time.monotonic() - began:.1f} s.")
    return True


def _names(running: psutil.Process) -> str:
    return ", ".join(processes.names(running)) or "supervisord"


def _last_words(var: Path) -> str:
    try:
        lines = (var / "log" / "supervisord.log").read_text(errors="replace").splitlines()
    except OSError as error:
        return f"  (it cannot be read: {error.strerror})"
    return "\n".join(f"  {line}" for line in lines[-LAST_WORDS:])


def budget(found: list[images.Image]) -> float:
    """Return how long stopping may take: supervisor stops one priority after the other, each with its own time limit."""
    sections = [section for image in found for section in image.programs.values()]
    programs = sum(float(section.get("stopwaitsecs", DEFAULT_STOP_SECONDS)) for section in sections)
    return MARGIN_SECONDS + DEFAULT_STOP_SECONDS + programs  # the listener is a program too


if __name__ == "__main__":
    sys.exit(guarded(main))
