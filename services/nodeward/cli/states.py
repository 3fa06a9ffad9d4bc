"""`nodeward states`, `ack`, `downtime`, `events`, `notifications`: the monitor from the command line."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import click

from nodeward.cli.session import server
from nodeward.core.client import Client

Row = dict[str, Any]
Clients = Callable[[str], Client]

_PAGE = 1000
_COLOURS = {
    "OK": "green", "UP": "green", "WARNING": "yellow", "CRITICAL": "red", "DOWN": "red", "UNREACHABLE": "magenta",
    "UNKNOWN": "magenta",
}  # fmt: skip

output = click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="How to print.")


def _states(clients: Clients) -> click.Command:
    @click.command("states")
    @click.option("--problems", is_flag=True, help="Only what is wrong now.")
    @click.option("--node", help="Of one node.")
    @click.option("--service", help="Of one service.")
    @click.option("--group", help="Of the nodes of one group.")
    @click.option("--state", help="One or more states, by commas.")
    @output
    def states(problems: bool, output: str, **query: str | None) -> None:
        """Show states, the worst first."""
        rows = pages(clients("monitor"), "/api/v1/states", {**query, "problems": "true" if problems else None})
        show(
            rows,
            output,
            [("NODE", _node), ("SERVICE", _service), ("STATE", _state), ("SINCE", _since), ("OUTPUT", _said)],
        )

    return states


def _ack(clients: Clients) -> click.Command:
    @click.command("ack")
    @click.argument("node")
    @click.argument("service", required=False)
    @click.option("--comment", default="", help="What you are doing about it.")
    @click.option("--expires", help="A time, a duration from now such as 8h, or never; by default a day.")
    @click.option("--until-change", is_flag=True, help="End it with any change of state, not only with the problem.")
    @click.option("--all", "everything", is_flag=True, help="Every problem of the node and its services.")
    @click.option("--remove", is_flag=True, help="Take the acknowledgement back.")
    @output
    def ack(
        node: str,
        service: str | None,
        everything: bool,
        remove: bool,
        until_change: bool,
        output: str,
        **more: str | None,
    ) -> None:
        """Take on a problem of NODE, or of its SERVICE."""
        client = clients("monitor")
        wanted = _problems_of(client, node, acknowledged=remove) if everything else [{"node": node, "service": service}]
        if not wanted:
            raise click.ClickException(f"Node {node} has no problem to {'take back' if remove else 'acknowledge'}.")
        if remove:
            for each in wanted:
                client.delete("/api/v1/acknowledgements", each)
            rows = [{**each, "acknowledged": False} for each in wanted]
        else:
            given = {key: value for key, value in more.items() if value}
            body = [{**each, **given, "sticky": not until_change} for each in wanted]
            rows = client.post("/api/v1/acknowledgements", body)["items"]
        show(rows, output, [("NODE", _node), ("SERVICE", _service), ("ACKNOWLEDGED", _acknowledged)])

    return ack


def _problems_of(client: Client, node: str, *, acknowledged: bool) -> list[Row]:
    query = {"node": node, "problems": "true", "acknowledged": str(acknowledged).lower()}
    found = pages(client, "/api/v1/states", query)
    return [{"node": row["node"], "service": row["service"]} for row in found]


def _downtime(clients: Clients) -> click.Group:
    columns: list[Column] = [
        ("ID", lambda row: str(row["id"])), ("NODE", _node), ("SERVICE", _service), ("FROM", lambda row: _time(row["from"])),
        ("TO", lambda row: _time(row["to"])), ("NOW", lambda row: "yes" if row["in_force"] else ""),
        ("BY", lambda row: row["author"]), ("COMMENT", lambda row: row["comment"]),
    ]  # fmt: skip

    @click.group("downtime")
    def downtime() -> None:
        """Plan work, so that nobody is told of what it causes."""

    @downtime.command("add")
    @click.argument("node")
    @click.option("--service", help="Of one service; without it, of the node and all its services.")
    @click.option("--from", "begin", help="A time, or a duration from now; by default now.")
    @click.option("--to", "until", help="A time, or a duration from now.")
    @click.option("--for", "length", help="A duration from now, such as 2h.")
    @click.option("--comment", default="", help="What is done.")
    @output
    def add(
        node: str,
        service: str | None,
        begin: str | None,
        until: str | None,
        length: str | None,
        comment: str,
        output: str,
    ) -> None:
        """Plan a downtime of NODE."""
        if (until is None) == (length is None):
            raise click.UsageError("Say when it ends: --for 2h, or --to with a time.")
        if length is not None and begin is not None:
            raise click.UsageError("--for counts from now; with --from, say --to.")
        body = {"node": node, "service": service, "to": until or length, "comment": comment}
        rows = clients("monitor").post("/api/v1/downtimes", {**body, "from": begin} if begin else body)["items"]
        show(rows, output, columns)

    @downtime.command("list")
    @output
    def list_(output: str) -> None:
        """Show the downtimes that are planned or in force."""
        show(clients("monitor").get("/api/v1/downtimes")["items"], output, columns)

    @downtime.command("cancel")
    @click.argument("number", type=int)
    @output
    def cancel(number: int, output: str) -> None:
        """End downtime NUMBER now, or take it back before it began."""
        show([clients("monitor").delete(f"/api/v1/downtimes/{number}")], output, columns)

    return downtime


def _events(clients: Clients) -> click.Command:
    @click.command("events")
    @click.option("--node", help="Of one node.")
    @click.option("--service", help="Of one service.")
    @click.option("--type", help="state, acknowledgement, downtime, flapping, reminder, notification: by commas.")
    @click.option("--since", help="A time, or a duration before now such as 2h.")
    @click.option("--until", help="The same.")
    @click.option("--limit", type=click.IntRange(1, 5000), default=50, show_default=True, help="At most so many.")
    @output
    def events(output: str, **query: Any) -> None:
        """Show what happened, the newest first."""
        rows = clients("monitor").get("/api/v1/events", query)["items"]
        columns = [
            ("AT", lambda row: _time(row["at"])),
            ("TYPE", lambda row: row["type"]),
            ("NODE", _node),
            ("SERVICE", _service),
        ]
        show(rows, output, [*columns, ("WHAT", _happened)])

    return events


def _notifications(clients: Clients) -> click.Command:
    @click.command("notifications")
    @click.option("--node", help="Of one node.")
    @click.option("--service", help="Of one service.")
    @click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
    @output
    def notifications(output: str, **query: Any) -> None:
        """Show who was told what, who was not, and why."""
        rows = clients("monitor").get("/api/v1/notifications", query)["items"]
        show(
            rows,
            output,
            [
                ("AT", lambda row: _time(row["at"])),
                ("NODE", _node),
                ("SERVICE", _service),
                ("STATE", _state),
                ("KIND", lambda row: row["kind"]),
                ("STATUS", lambda row: row["status"]),
                ("WHO, OR WHY NOT", _outcome),
            ],  # fmt: skip
        )

    return notifications


Column = tuple[str, Callable[[Row], str]]


def pages(client: Client, path: str, query: Row) -> list[Row]:
    """Return every row of a list, however many pages it has."""
    rows: list[Row] = []
    cursor = None
    while True:
        answer = client.get(path, {**query, "limit": _PAGE, "cursor": cursor})
        rows += answer["items"]
        cursor = answer["next"]
        if cursor is None:
            return rows


def show(rows: Sequence[Row], output: str, columns: Sequence[Column]) -> None:
    """Print rows as a JSON array, or as a table that is as wide as it needs to be."""
    if output == "json":
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    cells = [[name for name, _ in columns], *([_plain(text(row)) for _, text in columns] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    for line in cells:
        padded = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        click.echo("  ".join(_coloured(cell) for cell in padded).rstrip())


def _plain(text: str) -> str:
    """What a plugin wrote must not move the cursor of the one who reads it."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _coloured(cell: str) -> str:
    colour = _COLOURS.get(cell.strip().split(" ")[0])
    return click.style(cell, fg=colour) if colour else cell


def _node(row: Row) -> str:
    return row["node"] or ""


def _service(row: Row) -> str:
    return row["service"] or "-"


def _state(row: Row) -> str:
    soft = f" ({row['attempt']}/{row['attempts']})" if row.get("state_type") == "soft" else ""
    return f"{row['state']}{soft}"


def _since(row: Row) -> str:
    return _time(row["since"])


def _said(row: Row) -> str:
    masked = ", ".join(row["masked_by"])
    notes = [
        note
        for note, holds in (
            ("acknowledged", row["acknowledged"]), ("in downtime", row["in_downtime"]), ("flapping", row["flapping"]),
            (f"behind {masked}", masked),
        )
        if holds
    ]  # fmt: skip
    return (f"[{', '.join(notes)}] " if notes else "") + row["output"]


def _acknowledged(row: Row) -> str:
    held = row.get("acknowledgement")
    if not held:
        return "no"
    return f"until {_time(held['expires'])}" if held["expires"] else "until it is over"


def _happened(row: Row) -> str:
    if row["type"] == "state":
        return (
            f"{row['before']} → {row['state']} {row['state_type']} {row['attempt']}/{row['attempts']}  {row['output']}"
        )
    if row["type"] == "notification":
        return f"{row['status']}: {row['state']} to {row['contact']} by {row['target']} {row['error']}".rstrip()
    said = [str(row[key]) for key in ("what", "state", "author", "comment") if row.get(key)]
    return " · ".join(said)


def _outcome(row: Row) -> str:
    told = [
        f"{each['contact']} {each['status']}" + (f" ({each['error']})" if each["error"] else "")
        for each in row["deliveries"]
    ]
    return "; ".join(told) or row["reason"]


def _time(moment: str | None) -> str:
    return moment[:19].replace("T", " ") + "Z" if moment else "-"


COMMANDS = {
    str(command.name): command
    for command in (make(server) for make in (_states, _ack, _downtime, _events, _notifications))
}
