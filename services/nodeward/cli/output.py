"""What commands print: tables for people, JSON or YAML for programs."""

import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click
import yaml

Command = TypeVar("Command", bound=Callable[..., Any])
Row = dict[str, Any]

_COLOURS = {
    "OK": "green", "UP": "green", "WARNING": "yellow", "CRITICAL": "red", "DOWN": "red", "UNREACHABLE": "magenta",
    "UNKNOWN": "magenta", "PENDING": "bright_black", "RUNNING": "green", "FATAL": "red", "BACKOFF": "yellow",
    "create": "green", "update": "yellow", "delete": "red",
}  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def format_option(command: Command) -> Command:
    """Give a reading command `-o json|yaml|table`; its function gets `output`."""
    option = click.option(
        "-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", help="How to print."
    )
    return option(command)


def show(rows: Sequence[Row] | Row, output: str, columns: Sequence[str], empty: str = "Nothing.") -> None:
    """Print rows. As a table: these columns, and `empty` (on stderr) if there are none; else everything."""
    if output == "json":
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    elif output == "yaml":
        click.echo(yaml.safe_dump(rows, sort_keys=False, allow_unicode=True), nl=False)
    elif not rows:
        click.echo(empty, err=True)
    else:
        table([rows] if isinstance(rows, dict) else rows, columns)


def table(rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Print rows as aligned columns; the last one is not cut."""
    cells = [[text(row.get(column)) for column in columns] for row in rows]
    titles = [column.replace("_", " ").upper() for column in columns]
    widths = [max(len(line[place]) for line in [titles, *cells]) for place in range(len(columns))]
    click.echo(_line(titles, widths))
    for line in cells:
        click.echo(_line(line, widths))


def text(value: Any) -> str:
    """Return a value as one line that cannot harm a terminal."""
    if value is None or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    elif isinstance(value, dict):
        value = ", ".join(f"{key}={_within(each)}" for key, each in value.items()) or "-"
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", str(value))


def _within(value: Any) -> str:
    """Return a value that stands within another: a list with bars between, for one of it is enough."""
    return "|".join(map(str, value)) if isinstance(value, list) else text(value)


def coloured() -> bool:
    """Whether colour is wanted: on a terminal, unless NO_COLOR is set."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    padded[-1] = padded[-1].rstrip()
    if coloured():
        padded = [
            click.style(cell, fg=_COLOURS.get(cell.strip())) if cell.strip() in _COLOURS else cell for cell in padded
        ]
    return "  ".join(padded)
