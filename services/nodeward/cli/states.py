"""states, ack, downtime, events, notifications: what the monitor knows, and what people tell it."""

from typing import Any

import click

from nodeward.cli import session
from nodeward.cli.output import Row, format_option, moment, show
from nodeward.core.client import Client
from nodeward.core.errors import NodewardError
from nodeward.core.words import again, told

_MOST = 5000


@click.command()
@click.option("--problems", is_flag=True, help="Only what is wrong now.")
@click.option("--node", help="Of one node.")
@click.option("--service", help="Of one service.")
@click.option("--group", help="Of a group's nodes.")
@click.option("--state", help="In one or more states, by commas.")
@format_option
def states(problems: bool, output: str, **query: str | None) -> None:
    """List states, worst first. SERVICE is '-' for a node's own state."""
    rows = session.pages(
        session.server("monitor"), "/api/v1/states", {**query, "problems": "true" if problems else None}
    )
    empty = "No problems." if problems else "Nothing is monitored yet. `nodeward apply -f FILE` adds nodes and checks."
    show(rows, output, _state_line, empty)


@click.command()
@click.argument("node")
@click.argument("service", required=False)
@click.option("-m", "--comment", default="", help="What you are doing about it.")
@click.option("--expires", help="A time, a duration from now such as 8h, or never; by default a day.")
@click.option("--until-change", is_flag=True, help="End it with any change of state, not only with the problem.")
@click.option("--all", "everything", is_flag=True, help="Every problem of the node and its services.")
@click.option("--remove", is_flag=True, help="Take the acknowledgement back.")
@format_option
def ack(
    node: str, service: str | None, everything: bool, remove: bool, until_change: bool, output: str, **more: str | None
) -> None:
    """Take on a problem of NODE, or of its SERVICE: nobody is told of it again until that expires."""
    client = session.server("monitor")
    wanted = _problems_of(client, node, acknowledged=remove) if everything else [{"node": node, "service": service}]
    if not wanted:
        raise NodewardError(f"Node {node} has no problem that {'somebody' if remove else 'nobody'} has acknowledged.")
    if remove:
        rows = [each | client.delete("/api/v1/acknowledgements", each) for each in wanted]
    else:
        given = {key: value for key, value in more.items() if value} | {"sticky": not until_change}
        rows = client.post("/api/v1/acknowledgements", [each | given for each in wanted])["items"]
    show(rows, output, _ack_line)


def _problems_of(client: Client, node: str, *, acknowledged: bool) -> list[Row]:
    query = {"node": node, "problems": "true", "acknowledged": str(acknowledged).lower()}
    return [{"node": row["node"], "service": row["service"]} for row in session.pages(client, "/api/v1/states", query)]


@click.group()
def downtime() -> None:
    """Plan work, so that nobody is told of what it causes."""


@downtime.command("add")
@click.argument("node")
@click.option("--service", help="Of one service; without it, of the node and all its services.")
@click.option("--from", "begin", help="A time, or a duration from now; by default now.")
@click.option("--to", "until", help="A time, or a duration from now.")
@click.option("--for", "length", help="A duration from now, such as 2h.")
@click.option("-m", "--comment", default="", help="What is done.")
@format_option
def add_downtime(
    node: str, service: str | None, begin: str | None, until: str | None, length: str | None, comment: str, output: str
) -> None:
    """Plan a downtime of NODE."""
    if (until is None) == (length is None):
        raise click.UsageError("Say when it ends: --for 2h, or --to with a time.")
    if length is not None and begin is not None:
        raise click.UsageError("--for counts from now; with --from, say --to.")
    body = {"node": node, "service": service, "to": until or length, "comment": comment, "from": begin}
    show(session.server("monitor").post("/api/v1/downtimes", body)["items"], output, _downtime_line)


@downtime.command("list")
@format_option
def list_downtimes(output: str) -> None:
    """List the downtimes that are planned or in force."""
    show(session.server("monitor").get("/api/v1/downtimes")["items"], output, _downtime_line, "No downtime is planned.")


@downtime.command("cancel")
@click.argument("number", type=int)
@format_option
def cancel_downtime(number: int, output: str) -> None:
    """End downtime NUMBER now, or take it back before it began."""
    show([session.server("monitor").delete(f"/api/v1/downtimes/{number}")], output, _downtime_line)


@click.command()
@click.option("--node", help="Of one node.")
@click.option("--service", help="Of one service.")
@click.option("--type", help="state, acknowledgement, downtime, flapping, reminder, notification: by commas.")
@click.option("--since", help="A time, or a duration before now such as 2h.")
@click.option("--until", help="The same.")
@click.option("--limit", type=click.IntRange(1, _MOST), default=50, show_default=True, help="At most so many.")
@format_option
def events(output: str, **query: Any) -> None:
    """List what happened, newest first."""
    show(session.server("monitor").get("/api/v1/events", query)["items"], output, _event_line, "Nothing has happened.")


@click.command()
@click.option("--node", help="Of one node.")
@click.option("--service", help="Of one service.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
@format_option
def notifications(output: str, **query: Any) -> None:
    """List who was told what and when, who was not, and why. SINCE is when the state began."""
    rows = session.server("monitor").get("/api/v1/notifications", query)["items"]
    show(rows, output, _notification_line, "Nobody had to be told of anything yet.")


def _state_line(row: Row) -> Row:
    soft = f" {row['attempt']}/{row['attempts']}" if row["state_type"] == "soft" else None
    notes = [name.replace("_", " ") for name in ("acknowledged", "in_downtime", "flapping") if row[name]]
    notes += [f"behind {name}" for name in row["masked_by"]]
    return {
        "node": row["node"], "service": row["service"], "state": row["state"], "try": soft, "since": moment(row["since"]),
        "output": (f"[{', '.join(notes)}] " if notes else "") + row["output"],
    }  # fmt: skip


def _ack_line(row: Row) -> Row:
    held = row.get("acknowledgement")
    until = "no" if not held else f"until {moment(held['expires'])}" if held["expires"] else "until it is over"
    return {"node": row["node"], "service": row["service"], "acknowledged": until}


def _downtime_line(row: Row) -> Row:
    return {
        "id": row["id"], "node": row["node"], "service": row["service"], "from": moment(row["from"]), "to": moment(row["to"]),
        "now": row["in_force"], "by": row["author"], "comment": row["comment"],
    }  # fmt: skip


def _event_line(row: Row) -> Row:
    return {
        "at": moment(row["at"]), "type": row["type"], "node": row["node"] or None, "service": row["service"],
        "what": _happened(row),
    }  # fmt: skip


def _happened(row: Row) -> str:
    if row["type"] == "state":
        before = "" if row["before"] == row["state"] else f"{row['before']} → "
        known = f"{again(row)}, " if again(row) else ""
        return f"{before}{row['state']} {known}{row['state_type']} {row['attempt']}/{row['attempts']}  {row['output']}"
    if row["type"] == "notification":
        return f"{row['state']} {told(row)}" + (f": {row['error']}" if row["error"] else "")
    return " · ".join(str(row[key]) for key in ("what", "state", "author", "comment") if row.get(key))


def _notification_line(row: Row) -> Row:
    receivers = [
        f"{each['contact']} {each['status']}" + (f" ({each['error']})" if each["error"] else "")
        for each in row["deliveries"]
    ]
    return {
        "sent": moment(row["sent"]), "node": row["node"], "service": row["service"], "state": row["state"],
        "since": moment(row["at"]), "kind": row["kind"], "status": row["status"],
        "who, or why not": "; ".join(receivers) or row["reason"],
    }  # fmt: skip


COMMANDS = {"states": states, "ack": ack, "downtime": downtime, "events": events, "notifications": notifications}
