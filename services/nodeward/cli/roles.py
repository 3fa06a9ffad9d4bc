"""status, and for each role: start, stop, restart, debug (through supervisor, as the ancestors had)."""

import os
import sys

import click

from nodeward.cli.output import format_option, show
from nodeward.core.errors import Conflict
from nodeward.core.settings import Settings, load
from nodeward.supervise.client import Programs
from nodeward.supervise.http import row

ROLES = ("configserver", "logserver", "monitor", "nodeserver", "tailflog", "web")


@click.command()
@format_option
def status(output: str) -> None:
    """Show supervisor's programs on this machine."""
    rows = [row(program) for program in _programs().list()]
    show(rows, output, ("name", "state", "pid", "since", "description"))


def _programs() -> Programs:
    return Programs(load(Settings).var)


def _group(role: str) -> click.Group:
    @click.group(role, help=f"The role {role} on this machine.")
    def group() -> None:
        pass

    @group.command(help=f"Start {role}.")
    def start() -> None:
        click.echo(f"{role}: {_programs().start(role).state}")

    @group.command(help=f"Stop {role}; it stays stopped.")
    def stop() -> None:
        click.echo(f"{role}: {_programs().stop(role).state}")

    @group.command(help=f"Restart {role}.")
    def restart() -> None:
        click.echo(f"{role}: {_programs().restart(role).state}")

    @group.command(help=f"Run {role} in the foreground with coloured, detailed logs, in supervisor's place.")
    def debug() -> None:
        _debug(role)

    return group


def _debug(role: str) -> None:
    """Become the role's program. Supervisor's own is stopped first; `nodeward ROLE start` has it back."""
    settings = load(Settings)
    try:
        _programs().stop(role)
        click.echo(f"{role} is stopped under supervisor; `nodeward {role} start` starts it again.", err=True)
    except Conflict:
        pass  # it does not run there: nothing is in the way
    environment = {
        **os.environ,
        "NODEWARD_LOG_LEVEL": "DEBUG",
        "NODEWARD_VAR": str(settings.var),
        "NODEWARD_COLOURS": "1",
    }
    os.execve(sys.executable, [sys.executable, "-m", f"nodeward.{role}.main"], environment)  # noqa: S606 - our own program


COMMANDS = {"status": status, **{role: _group(role) for role in ROLES}}
