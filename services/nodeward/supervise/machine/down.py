"""`script/down`: stop everything that `script/up` started under this NODEWARD_VAR, and nothing else."""

import sys
import time

import click
import psutil

from nodeward.core.errors import EXIT_FAILED, EXIT_OK
from nodeward.core.program import guarded
from nodeward.core.settings import Settings, load
from nodeward.supervise import images
from nodeward.supervise.machine import processes

MARGIN_SECONDS = 10.0
DEFAULT_STOP_SECONDS = 10.0  # supervisor's own stopwaitsecs


def main() -> int:
    """Stop the appliance, wait for it, say what was done."""
    settings = load(Settings)
    running = processes.supervisord(settings.var)
    stopped = stop(running, budget(images.read_all(settings.home))) if running else True
    left = processes.orphans(settings.var) if stopped else []
    if left:
        click.echo(f"Ended {processes.end(left)} processes that had lost their supervisord.")
    elif not running:
        click.echo(f"Nothing of the appliance under {settings.var} runs.")
    return EXIT_OK if stopped else EXIT_FAILED


def stop(running: psutil.Process, seconds: float) -> bool:
    """Ask supervisord to stop its programs and itself. Return whether it ended in time."""
    click.echo(f"Stopping {', '.join(processes.names(running)) or 'supervisord'} …")
    began = time.monotonic()
    running.terminate()
    try:
        running.wait(timeout=seconds)
    except psutil.TimeoutExpired:
        click.echo(
            f"supervisord (pid {running.pid}) still stops its programs after {seconds:.0f} s; script/status tells more."
        )
        return False
    click.echo(f"Stopped in {time.monotonic() - began:.1f} s.")
    return True


def budget(found: list[images.Image]) -> float:
    """Return how long stopping may take: supervisor stops one priority after the other, each with its own time limit."""
    sections = [section for image in found for section in image.programs.values()]
    return MARGIN_SECONDS + sum(float(section.get("stopwaitsecs", DEFAULT_STOP_SECONDS)) for section in sections)


if __name__ == "__main__":
    sys.exit(guarded(main))
