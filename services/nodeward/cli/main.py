"""The command line: `nodeward <noun|verb>`. Errors become a sentence on stderr and an exit code here, and only here.

Exit codes: 0 done; 1 it failed; 2 the command line is wrong; 78 the configuration is wrong; 130 interrupted. Where whoever reads
the output has seen enough (`| head`), it ends as other tools do: quietly, by SIGPIPE, which a shell calls 141.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NoReturn

import click

from nodeward.core.errors import EXIT_OK, NodewardError

# Which module holds which commands. A module is imported only when one of its commands is asked for.
COMMANDS = {
    "apply": "objects", "get": "objects", "delete": "objects", "find": "objects",
    "render": "bundles", "revisions": "revisions",
    "rollout": "rollouts", "rollback": "rollouts", "rollouts": "rollouts", "delivery": "rollouts",
    "user": "people", "token": "people", "ping": "nodes",
    "logs": "logs",
    "run": "runs", "runs": "runs",
    "states": "states", "ack": "states", "downtime": "states", "events": "states", "notifications": "states",
    "programs": "programs", "audit": "programs", "recheck": "programs",
    "selftest": "selftest", "backup": "backup", "restore": "backup",
    "status": "roles", "configserver": "roles", "logserver": "roles", "monitor": "roles",
    "nodeserver": "roles", "tailflog": "roles", "web": "roles",
}  # fmt: skip


class Enough(Exception):
    """Nobody reads any more what is printed."""


@contextmanager
def _while_somebody_reads() -> Iterator[None]:
    """Raise Enough in place of BrokenPipeError, of which click would make a failure."""
    try:
        yield
    except BrokenPipeError:
        raise Enough from None


class Commands(click.Group):
    """The group that finds its commands in the table."""

    def make_context(self, *given: Any, **named: Any) -> click.Context:
        """Read the command line; that prints help, too."""
        with _while_somebody_reads():
            return super().make_context(*given, **named)

    def invoke(self, ctx: click.Context) -> Any:
        """Carry the command out."""
        with _while_somebody_reads():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None if the table has none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"nodeward.cli.{COMMANDS[cmd_name]}")
        command: click.Command = module.COMMANDS[cmd_name]
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="nodeward", message="nodeward %(version)s")
def nodeward() -> None:
    """Keeps ward over a fleet of Linux servers.

    The appliance asked is the one that NODEWARD_URL and NODEWARD_TOKEN name; without them, the one on this machine
    (its state under NODEWARD_VAR, ./var by default).
    """


def main() -> None:
    """Run the command line."""
    try:
        _run()
    except (Enough, BrokenPipeError):
        _end_by_sigpipe()


def _run() -> NoReturn:
    try:
        code = nodeward.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else EXIT_OK)
    except NodewardError as error:
        click.echo(f"nodeward: {error}", err=True)
        sys.exit(error.exit_code)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)


def _end_by_sigpipe() -> NoReturn:
    """End as a program does that leaves this signal alone. (Python ignores it: it comes of a server's closed connection, too.)"""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGPIPE)
    os._exit(128 + signal.SIGPIPE)  # where it is blocked


if __name__ == "__main__":
    main()
