"""render: what a node gets."""

import difflib
from typing import Any

import click

from nodeward.cli import session
from nodeward.cli.output import format_option, show


@click.command()
@click.option("--node", required=True, help="The node.")
@click.option("--revision", type=click.IntRange(min=1), help="As it was at that revision; by default as it is.")
@click.option("--diff", is_flag=True, help="Only what the last change of this node's files changed.")
@click.option("--against", type=click.IntRange(min=1), metavar="N", help="With --diff: what changed since revision N.")
@format_option
def render(node: str, revision: int | None, diff: bool, against: int | None, output: str) -> None:
    """Show the files of a node's configuration, as the config server renders them."""
    if against is not None and not diff:
        raise click.UsageError("--against goes with --diff.")
    bundle = _bundle(node, revision)
    if output != "table":
        show(bundle, output, ())
    elif diff:
        before = against or bundle["revision"] - 1
        _tell_difference(_bundle(node, before) if before else {"revision": 0, "files": {}}, bundle)
    else:
        for name, text in bundle["files"].items():
            click.echo(f"# {name} (revision {bundle['revision']})\n{text}", nl=False)


def _bundle(node: str, revision: int | None) -> dict[str, Any]:
    found: dict[str, Any] = session.config().get(f"/api/v1/nodes/{node}/bundle", {"revision": revision})
    return found


def _tell_difference(old: dict[str, Any], new: dict[str, Any]) -> None:
    same = True
    for name in sorted(old["files"].keys() | new["files"].keys()):
        before, after = (_lines(bundle["files"].get(name, "")) for bundle in (old, new))
        then, now = (f"{name} (revision {bundle['revision']})" for bundle in (old, new))
        for line in difflib.unified_diff(before, after, then, now, lineterm=""):
            same = False
            click.echo(line)
    if same:
        click.echo(f"Nothing differs between revisions {old['revision']} and {new['revision']}.", err=True)


def _lines(text: str) -> list[str]:
    """The lines that say something: the revision stands in each file and always differs."""
    return [line for line in text.splitlines() if not line.lstrip().startswith('"revision":')]


COMMANDS = {"render": render}
