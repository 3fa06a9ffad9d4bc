"""logs: search the log server, or follow it."""

import json
from collections.abc import Iterator
from typing import Any

import click
import yaml

from nodeward.cli import session
from nodeward.cli.output import Row, coloured, format_option, text
from nodeward.core.words import counted

_COLOURS = {"emerg": "red", "alert": "red", "crit": "red", "error": "red", "warning": "yellow", "debug": "bright_black"}
_PAGE = 500
_UNPARSED = "[unparsed]"


@click.command()
@click.argument("words", nargs=-1)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.option("--node", help="Of these nodes, by commas.")
@click.option("--source", help="Of these sources, by commas.")
@click.option("--host", help="Of these hosts, by commas.")
@click.option("--level", help="At least that severe, such as warning.")
@click.option("--grep", "regex", help="Lines that this RE2 expression matches.")
@click.option("--since", help="From when: a time, or how long ago, such as 15m. By default 1h, for a search.")
@click.option("--until", help="To when.")
@click.option(
    "-n", "--lines", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many (the newest)."
)
@format_option
def logs(
    words: tuple[str, ...], follow: bool, since: str | None, until: str | None, lines: int, output: str, **filters: Any
) -> None:
    """Show log records that hold all WORDS, oldest first; with -f, as they arrive.

    WORDS may be "phrases", -exclusions, prefix* and *part*. A record marked [unparsed] did not fit the format of its source: it
    is shown as it was read; -o json says why (parse_error).
    """
    client = session.server("logserver")
    query: Row = {**filters, "q": " ".join(words) or None}
    found = (
        _followed(client, query, lines)
        if follow
        else _searched(client, {**query, "from": since or "1h", "to": until}, lines)
    )
    if output == "table":
        for record in found:
            click.echo(_line(record))
    elif follow:
        for record in found:
            click.echo(json.dumps(record, ensure_ascii=False))
    else:
        rows = list(found)
        dumped = (
            json.dumps(rows, indent=2, ensure_ascii=False)
            if output == "json"
            else yaml.safe_dump(rows, allow_unicode=True)
        )
        click.echo(dumped)


def _searched(client: Any, query: Row, wanted: int) -> Iterator[Row]:
    """Return the newest matches, oldest first. A long search comes in slices; it goes on until there are enough."""
    rows: list[Row] = []
    cursor = None
    while len(rows) < wanted:
        answer = client.get("/api/v1/logs", {**query, "cursor": cursor, "limit": min(_PAGE, wanted - len(rows))})
        rows += answer["items"]
        cursor = answer["next"]
        if cursor is None:
            break
    if not rows:
        click.echo("No record matches. --since looks further back.", err=True)
    yield from reversed(rows)


def _followed(client: Any, query: Row, wanted: int) -> Iterator[Row]:
    """Yield the newest matches, then what arrives, until interrupted."""
    answer = client.get("/api/v1/follow", {**query, "limit": min(wanted, _PAGE)})
    while True:
        yield from answer["items"]
        if answer.get("skipped"):
            click.echo(
                f"… {counted(answer['skipped'], 'record')} skipped: they came faster than they could be shown", err=True
            )
        answer = client.get(
            "/api/v1/follow", {**query, "after": answer["cursor"], "wait": 25, "limit": _PAGE}, timeout=40.0
        )


def _line(record: Row) -> str:
    level = record["level"] or "-"
    if coloured():
        level = click.style(level, fg=_COLOURS.get(level))
    where = "/".join(filter(None, (record["source"], record["ident"])))
    said = text(record["message"] or record["raw"])
    return f"{record['time'][:23]}Z {record['node']} {text(where)} {level}: {_mark(record)}{said}"


def _mark(record: Row) -> str:
    if not record["parse_error"]:
        return ""
    return (click.style(_UNPARSED, fg="yellow") if coloured() else _UNPARSED) + " "


COMMANDS = {"logs": logs}
