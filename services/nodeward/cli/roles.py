"""status, and for each role: start, stop, restart, debug (through supervisor, as the ancestors had)."""

import getpass
import os
import signal
import subprocess
import sys

import click

from nodeward.cli import session
from nodeward.cli.output import format_option, show
from nodeward.core import clock
from nodeward.core.deeds import Deed, note
from nodeward.core.errors import Conflict, NotFound, Unavailable
from nodeward.supervise.client import Program, Programs
from nodeward.supervise.http import row

ROLES = ("configserver", "logserver", "monitor", "nodeserver", "tailflog", "web")


@click.command()
@format_option
def status(output: str) -> None:
    """Show supervisor's programs on this machine."""
    rows = [row(program) for program in _programs().list()]
    show(rows, output, ("name", "state", "pid", "since", "description"))


def _programs() -> Programs:
    return Programs(session.settings().var)


def _group(role: str) -> click.Group:
    @click.group(role, help=f"The role {role} on this machine.")
    def group() -> None:
        pass

    @group.command(help=f"Start {role}.")
    def start() -> None:
        _act("start", role)

    @group.command(help=f"Stop {role}; it stays stopped.")
    def stop() -> None:
        _act("stop", role)

    @group.command(help=f"Restart {role}.")
    def restart() -> None:
        _act("restart", role)

    @group.command(help=f"Run {role} in the foreground with coloured, detailed logs, in supervisor's place.")
    def debug() -> int:
        return _debug(role)

    return group


def _act(action: str, role: str) -> None:
    """Start, stop or restart a role here, say how it stands then, and note for the audit list who did."""
    done: Program = getattr(_programs(), action)(role)
    _note(action, role)
    click.echo(f"{role}: {done.state}")


def _note(action: str, role: str) -> None:
    who = f"{getpass.getuser()} on this machine"
    note(session.settings().var, Deed(clock.now(), who, f"{action} program", role, "command line"))


def _debug(role: str) -> int:
    """Run the role's program here until it ends, or Ctrl-C or the terminal's end ends it. Return its exit code."""
    # Ctrl-C is for the program alone, and neither it nor a connection that breaks leaves the role stopped.
    before = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        ran = _stopped(role)
        try:
            return _in_the_foreground(role)
        finally:
            if ran:
                _note("start", role)
                click.echo(f"{role}: {_programs().start(role).state} under supervisor again", err=True)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_the_foreground(role: str) -> int:
    local = session.settings()
    environment = {**os.environ, "NODEWARD_LOG_LEVEL": "DEBUG", "NODEWARD_VAR": str(local.var), "NODEWARD_COLOURS": "1"}
    program = subprocess.Popen(
        [sys.executable, "-m", f"nodeward.{role}.main"], env=environment, cwd=local.home, preexec_fn=_may_be_ended
    )
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: program.terminate())
    return program.wait()


def _may_be_ended() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _stopped(role: str) -> bool:
    """Take the role from supervisor. Return whether it ran there."""
    try:
        _programs().stop(role)
    except (Conflict, NotFound, Unavailable):
        return False  # it does not run there: nothing is in the way
    _note("stop", role)
    click.echo(f"{role} is stopped under supervisor while it runs here; Ctrl-C ends it.", err=True)
    return True


COMMANDS = {"status": status, **{role: _group(role) for role in ROLES}}
