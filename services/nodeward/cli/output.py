"""What commands print: tables for people, JSON or YAML for programs."""

import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import click
import yaml

from nodeward.core.words import escaped

Command = TypeVar("Command", bound=Callable[..., Any])
Row = dict[str, Any]

_COLOURS = {
    "OK": "green", "UP": "green", "WARNING": "yellow", "CRITICAL": "red", "DOWN": "red", "UNREACHABLE": "magenta",
    "UNKNOWN": "magenta", "PENDING": "bright_black", "RUNNING": "green", "FATAL": "red", "BACKOFF": "yellow",
    "create": "green", "update": "yellow", "delete": "red",
}  # fmt: skip
_GAP = "  "
LEAST, LAST = 8, 20  # so many characters of a column stay visible on a narrow terminal, and so many of the last one
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# Where a text for the terminal itself begins (title, clipboard, a question that it answers by typing), or may begin at the end.
_BEYOND = re.compile(r"\x1b(?=[\]PX^_]|\Z)|[\x90\x98\x9d-\x9f]")


def format_option(command: Command) -> Command:
    """Give a reading command `-o json|yaml|table`; its function gets `output`."""
    option = click.option(
        "-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", help="How to print."
    )
    return option(command)


def show(
    rows: Sequence[Row] | Row, output: str, columns: Sequence[str] | Callable[[Row], Row], empty: str = "Nothing."
) -> None:
    """Print rows: whole for programs; for people as a table, and `empty` (on stderr) if there are none.

    `columns` are the keys that the table shows, or what makes a line of it from a row.
    """
    if output == "json":
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    elif output == "yaml":
        click.echo(yaml.safe_dump(rows, sort_keys=False, allow_unicode=True), nl=False)
    elif not rows:
        click.echo(empty, err=True)
    else:
        listed = [rows] if isinstance(rows, dict) else rows
        lines = [columns(row) for row in listed] if callable(columns) else listed
        table(lines, list(lines[0]) if callable(columns) else columns)


def table(rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Print rows as aligned columns. On a terminal they fit its width; elsewhere nothing is cut or broken."""
    cells = [[text(row.get(column)) for column in columns] for row in rows]
    titles = [column.replace("_", " ").upper() for column in columns]
    widths = [max(len(line[place]) for line in [titles, *cells]) for place in range(len(columns))]
    if sys.stdout.isatty():
        times = {place for place in range(len(columns)) if any(_MOMENT.fullmatch(line[place]) for line in cells)}
        widths = fit(widths, shutil.get_terminal_size().columns, rigid={0, *times})
    for line in [titles, *cells]:
        _print(line, widths)


def fit(widths: Sequence[int], room: int, rigid: Collection[int] = ()) -> list[int]:
    """Return the columns' widths where they have so much room.

    The widest become narrower, but not the `rigid` ones (half a time is none, nor half the name in the first column).
    The last keeps LAST at least.
    """
    *others, last = widths
    left = room - len(_GAP) * len(others)
    while sum(others) + min(last, LAST) > left:
        widest = max(set(range(len(others))) - set(rigid), key=others.__getitem__, default=None)
        if widest is None or others[widest] <= LEAST:
            break
        others[widest] -= 1
    return [*others, min(last, max(LAST, left - sum(others)))]


def _print(cells: Sequence[str], widths: Sequence[int]) -> None:
    """Print a line of a table: what is too wide is cut, and the last column goes on below itself."""
    *others, last = cells
    shown = [
        cell if len(cell) <= width else cell[: width - 1] + "…" for cell, width in zip(others, widths, strict=False)
    ]
    pieces = [last] if len(last) <= widths[-1] else textwrap.wrap(last, widths[-1])
    click.echo(_line([*shown, pieces[0]], widths))
    indent = " " * sum(width + len(_GAP) for width in widths[:-1])
    for piece in pieces[1:]:
        click.echo(indent + piece)


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
    if isinstance(value, str) and _TIME.fullmatch(value):
        return str(moment(value))
    return escaped(_CONTROL, str(value))


def printed(output: str) -> str:
    """Return what a program printed, for a terminal: it may colour and draw on the screen, and reach nothing beyond it."""
    return escaped(_BEYOND, output)


def _within(value: Any) -> str:
    """Return a value that stands within another: a list with bars between, for one of it is enough."""
    return "|".join(map(str, value)) if isinstance(value, list) else text(value)


def moment(time: str | None) -> str | None:
    """Return a time as a table shows it: UTC, to the second."""
    return time[:19].replace("T", " ") + "Z" if time else None


def coloured() -> bool:
    """Whether colour is wanted: on a terminal, unless NO_COLOR is set."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    padded[-1] = cells[-1]
    if coloured():
        padded = [
            click.style(cell, fg=_COLOURS.get(cell.strip())) if cell.strip() in _COLOURS else cell for cell in padded
        ]
    return _GAP.join(padded).rstrip()
