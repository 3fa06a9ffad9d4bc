"""apply, get, delete, find: the objects."""

import sys
from pathlib import Path
from typing import Any

import click
import yaml

from nodeward.cli import session
from nodeward.cli.output import Row, format_option, show
from nodeward.core.errors import BadInput
from nodeward.core.words import counted

KINDS = ("node", "group", "check", "log", "runbook", "contact", "route", "period", "user")
_PLURALS = {f"{kind}{'es' if kind.endswith('h') else 's'}": kind for kind in KINDS} | {"checks": "check"}
_COLUMNS = {
    "node": ("name", "address", "groups", "labels", "description"),
    "check": ("name", "plugin", "command", "assign", "interval", "description"),
    "log": ("name", "format", "paths", "assign"),
    "contact": ("name", "email", "urls", "period"),
    "route": ("name", "match", "contacts", "period"),
    "period": ("name", "timezone", "ranges"),
    "user": ("name", "role", "email", "description"),
}


class Kind(click.ParamType):
    """A kind of object, in the singular or plural."""

    name = "kind"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the kind's own name."""
        kind = _PLURALS.get(value, value)
        if kind not in KINDS:
            self.fail(f"{value!r} is no kind; there are {', '.join(KINDS)}.", param, ctx)
        return str(kind)


@click.command()
@click.option("-f", "--file", "file", required=True, metavar="FILE", help="A fleet file; - is standard input.")
@click.option("--dry-run", is_flag=True, help="Change nothing; say what would.")
@click.option("-m", "--why", default="", help="A word for the history.")
@format_option
def apply(file: str, dry_run: bool, why: str, output: str) -> None:
    """Put the objects of a fleet file into the registry, as one revision."""
    text = _read(file)
    query = {"dry_run": "true" if dry_run else None, "why": why or None, "file": "" if file == "-" else Path(file).name}
    answer = session.config().request(
        "POST", "/api/v1/apply", body=text, query=query, headers={"Content-Type": "application/yaml"}, timeout=120.0
    )
    outcome: Row = answer.json()
    if output == "table":
        _tell(outcome, dry_run)
    else:
        show(outcome, output, ())


@click.command()
@click.argument("kind", type=Kind())
@click.argument("name", required=False)
@click.option("--group", help="Those of a group.")
@click.option("--label", multiple=True, metavar="K=V", help="Nodes with that label.")
@click.option("-q", "--search", help="Those whose name or description holds this.")
@format_option
def get(
    kind: str, name: str | None, group: str | None, label: tuple[str, ...], search: str | None, output: str
) -> None:
    """List the objects of a KIND, or show the one called NAME."""
    client = session.config()
    if name is not None:
        found = client.get(f"/api/v1/objects/{kind}/{name}")
        show(found, "yaml" if output == "table" else output, ())
        return
    query = {"group": group, "label": list(label) or None, "q": search}
    rows = session.pages(client, f"/api/v1/objects/{kind}", query)
    show(
        rows,
        output,
        _COLUMNS.get(kind, ("name", "description")),
        f"There is no {kind} yet. `nodeward apply -f` adds some.",
    )


@click.command()
@click.argument("kind", type=Kind())
@click.argument("name")
def delete(kind: str, name: str) -> None:
    """Take the object of a KIND called NAME away."""
    answer = session.config().delete(f"/api/v1/objects/{kind}/{name}")
    click.echo(f"Deleted {kind} {name}: revision {answer['revision']}.")


@click.command()
@click.option("--name", help="Its name; * and ? stand for any text.")
@click.option("--address", help="Its address.")
@click.option("--group", help="A group it is in.")
@click.option("--label", multiple=True, metavar="K=V", help="A label it has.")
@format_option
def find(name: str | None, address: str | None, group: str | None, label: tuple[str, ...], output: str) -> None:
    """Find nodes; everything given must match."""
    query = {"name": name, "address": address, "group": group, "label": list(label) or None}
    rows = session.config().get("/api/v1/find", query)["items"]
    show(rows, output, ("name", "address", "groups", "labels", "agent"), "No node matches.")


def _read(file: str) -> bytes:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({error.strerror}).") from None
    return bytes(data)


def _tell(outcome: Row, dry_run: bool) -> None:
    for change in outcome["changes"]:
        click.echo(f"{change['action']:<7} {change['kind']} {change['name']}")
        if change["action"] == "update":
            for key in sorted(change["before"].keys() | change["after"].keys()):
                old, new = change["before"].get(key), change["after"].get(key)
                if old != new:
                    click.echo(f"          {key}: {_short(old)} → {_short(new)}")
    for warning in outcome["warnings"]:
        click.echo(f"note: {warning['path']}: {warning['message']}", err=True)
    if not outcome["changes"]:
        click.echo(f"Nothing to change: revision {outcome['revision']} says so already.")
    elif dry_run:
        click.echo(f"{counted(len(outcome['changes']), 'object')} to change; nothing was changed (dry run).")
    else:
        click.echo(f"Revision {outcome['revision']} is in force.")


def _short(value: Any) -> str:
    if value is None:
        return "-"
    dumped: str = yaml.safe_dump(value, default_flow_style=True, width=10_000)
    return dumped.removesuffix("\n...\n").strip()


COMMANDS = {"apply": apply, "get": get, "delete": delete, "find": find}
