"""render: what a node gets."""

import difflib
from pathlib import Path

import click

from nodeward.cli import session
from nodeward.cli.output import format_option, show
from nodeward.core.settings import Settings, load


@click.command()
@click.option("--node", required=True, help="The node.")
@click.option("--diff", is_flag=True, help="Only what differs from the files that lie on this machine's node server.")
@format_option
def render(node: str, diff: bool, output: str) -> None:
    """Show the files of a node's bundle as they are rendered now."""
    bundle = session.config().get(f"/api/v1/nodes/{node}/bundle")
    if output != "table":
        show(bundle, output, ())
        return
    for name, text in bundle["files"].items():
        click.echo(_difference(name, text) if diff else f"# {name} (revision {bundle['revision']})\n{text}", nl=False)


def _difference(name: str, text: str) -> str:
    path = load(Settings).var / "nodeserver" / "bundle" / name
    present = path.read_text() if path.exists() else ""
    lines = difflib.unified_diff(
        present.splitlines(True), text.splitlines(True), str(_shown(path)), f"{name} (rendered)"
    )
    return "".join(lines)


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


COMMANDS = {"render": render}
