"""revisions: the history of the configuration."""

import click

from nodeward.cli import session
from nodeward.cli.output import format_option, show
from nodeward.core.words import counted


@click.group(invoke_without_command=True)
@click.option("--limit", default=20, show_default=True, help="How many.")
@format_option
@click.pass_context
def revisions(ctx: click.Context, limit: int, output: str) -> None:
    """List who changed what, newest first."""
    if ctx.invoked_subcommand is None:
        rows = session.config().get("/api/v1/revisions", {"limit": limit})["items"]
        brief = [{**row, "changes": _brief(row["changes"])} for row in rows] if output == "table" else rows
        show(brief, output, ("revision", "when", "who", "why", "changes"), "Nothing was configured yet.")


@revisions.command("show")
@click.argument("number", type=int)
@format_option
def show_one(number: int, output: str) -> None:
    """Show what revision NUMBER changed."""
    found = session.config().get(f"/api/v1/revisions/{number}")
    show(found, "yaml" if output == "table" else output, ())


@revisions.command()
@click.argument("number", type=int)
def restore(number: int) -> None:
    """Make the configuration what it was at revision NUMBER; that is a new revision."""
    answer = session.config().post(f"/api/v1/revisions/{number}/restore", timeout=120.0)
    changed = counted(len(answer["changes"]), "object")
    click.echo(f"Revision {number} is in force again, as revision {answer['revision']} ({changed} changed).")


def _brief(changes: list[dict[str, str]]) -> str:
    named = [f"{change['action']} {change['kind']} {change['name']}" for change in changes[:3]]
    return ", ".join(named) + (f" and {len(changes) - 3} more" if len(changes) > 3 else "")


COMMANDS = {"revisions": revisions}
