"""states, ack, downtime, events, notifications: what the monitor knows."""

from typing import Any

import click

from nodeward.cli import session
from nodeward.cli.output import Row, format_option, show


@click.command()
@click.option("--problems", is_flag=True, help="Only what is not well.")
@click.option("--node", help="Of one node.")
@click.option("--service", help="Of one service.")
@click.option("--group", help="Of a group's nodes.")
@click.option("--state", help="In one or more states, by commas.")
@format_option
def states(
    problems: bool, node: str | None, service: str | None, group: str | None, state: str | None, output: str
) -> None:
    """List states, worst first. SERVICE is '-' for a node's own state."""
    query = {"problems": "true" if problems else None, "node": node, "service": service, "group": group, "state": state}
    rows = session.pages(session.server("monitor"), "/api/v1/states", query)
    columns = ("node", "service", "state", "state_type", "since", "last_check", "output")
    empty = "No problems." if problems else "Nothing is monitored yet. `nodeward apply -f FILE` adds nodes and checks."
    show(rows, output, columns, empty)


@click.command()
@click.argument("node")
@click.argument("service", required=False)
@click.option("-m", "--comment", default="", help="For the others.")
@click.option("--expires", help="Until when, such as 4h; by default 24 h.")
@click.option("--remove", is_flag=True, help="Take the acknowledgement back.")
def ack(node: str, service: str | None, comment: str, expires: str | None, remove: bool) -> None:
    """Take on the problem of NODE, or of a SERVICE of it: nobody is reminded of it again."""
    client = session.server("monitor")
    key = _given(node=node, service=service)
    if remove:
        client.delete("/api/v1/acknowledgements", key)
    else:
        client.post("/api/v1/acknowledgements", key | _given(comment=comment, expires=expires))
    click.echo(f"{_named(node, service)}: {'no longer acknowledged' if remove else 'acknowledged'}.")


@click.group(invoke_without_command=True)
@format_option
@click.pass_context
def downtime(ctx: click.Context, output: str) -> None:
    """List, plan and end downtimes."""
    if ctx.invoked_subcommand is None:
        rows = session.server("monitor").get("/api/v1/downtimes")["items"]
        show(rows, output, ("id", "node", "service", "from", "to", "author", "comment"), "No downtime is planned.")


@downtime.command()
@click.argument("node")
@click.argument("service", required=False)
@click.option("--for", "to", required=True, help="How long, such as 2h, or until when.")
@click.option("--from", "begin", help="From when; by default now.")
@click.option("-m", "--comment", default="", help="For the others.")
def add(node: str, service: str | None, to: str, begin: str | None, comment: str) -> None:
    """Plan a downtime of NODE with all its services, or of one SERVICE."""
    body = _given(node=node, service=service, to=to, comment=comment) | _given(**{"from": begin})
    session.server("monitor").post("/api/v1/downtimes", body)
    click.echo(f"{_named(node, service)}: downtime planned.")


@downtime.command("delete")
@click.argument("identifier", metavar="ID", type=int)
def end(identifier: int) -> None:
    """End the downtime with that ID."""
    session.server("monitor").delete(f"/api/v1/downtimes/{identifier}")
    click.echo(f"Downtime {identifier} is over.")


@click.command()
@click.option("--node", help="Of one node.")
@click.option("--service", help="Of one service.")
@click.option("--type", "kind", help="state, acknowledgement, downtime, notification …, by commas.")
@click.option("--limit", default=50, show_default=True)
@format_option
def events(node: str | None, service: str | None, kind: str | None, limit: int, output: str) -> None:
    """List what happened, newest first."""
    query = {"node": node, "service": service, "type": kind, "limit": limit}
    rows = session.server("monitor").get("/api/v1/events", query)["items"]
    show(rows, output, ("time", "type", "node", "service", "state", "output"), "Nothing has happened yet.")


@click.command()
@click.option("--node", help="About one node.")
@click.option("--limit", default=50, show_default=True)
@format_option
def notifications(node: str | None, limit: int, output: str) -> None:
    """List who was told what, and whether it got there."""
    rows = session.server("monitor").get("/api/v1/notifications", {"node": node, "limit": limit})["items"]
    show(
        rows, output, ("time", "node", "service", "state", "outcome", "error"), "Nobody had to be told of anything yet."
    )


def _given(**values: Any) -> Row:
    return {key: value for key, value in values.items() if value not in (None, "")}


def _named(node: str, service: str | None) -> str:
    return f"{service} on {node}" if service else node


COMMANDS = {"states": states, "ack": ack, "downtime": downtime, "events": events, "notifications": notifications}
