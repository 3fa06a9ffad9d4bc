"""programs, audit, recheck: what runs on every server and node, who acted on it, and a check made now."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import click

from nodeward.cli import session
from nodeward.cli.output import Row, format_option, moment, printed, show
from nodeward.core import told
from nodeward.core.client import Client
from nodeward.core.errors import EXIT_FAILED, EXIT_OK, NodewardError
from nodeward.core.words import counted

SERVERS = ("configserver", "logserver", "monitor", "web")
NODE_ITSELF = "-"
_AT_ONCE = 16


@click.group(invoke_without_command=True)
@click.option("--node", help="Of one node.")
@click.option("--role", type=click.Choice(SERVERS), help="Of one server.")
@format_option
@click.pass_context
def programs(ctx: click.Context, node: str | None, role: str | None, output: str) -> int:
    """Show supervisor's programs on every node and server.

    The commands below take WHERE: a node's name, or configserver, logserver, monitor or web.
    A node that is called so is node:NAME.
    """
    if ctx.invoked_subcommand is not None:
        return EXIT_OK
    places = [f"node:{node}"] if node else [role] if role else _everywhere()
    rows, silent = _ask(places)
    show(rows, output, _program_line, "No program runs anywhere.")
    for sentence in silent:
        click.echo(f"nodeward: {sentence}", err=True)
    return EXIT_FAILED if silent else EXIT_OK


def _acting(action: str, does: str) -> Callable[[str, str], None]:
    @programs.command(action, help=f"{does} PROGRAM there; the audit list says who did.")
    @click.argument("where")
    @click.argument("program")
    def act(where: str, program: str) -> None:
        done = session.place(where).post(f"/api/v1/programs/{program}/{action}", timeout=100.0)
        click.echo(f"{done['name']} on {where.removeprefix('node:')}: {done['state']}")

    return act


for _action, _does in (("start", "Start"), ("stop", "Stop"), ("restart", "Restart")):
    _acting(_action, _does)


@programs.command()
@click.argument("where")
@click.argument("program")
@click.option("--bytes", "size", type=click.IntRange(1, 1024 * 1024), default=16 * 1024, show_default=True)
def tail(where: str, program: str, size: int) -> None:
    """Print the end of what PROGRAM printed there, at most so many bytes."""
    log = session.place(where).get(f"/api/v1/programs/{program}/log", {"bytes": size})["log"]
    click.echo(printed(log), nl=False)


@click.command()
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
@format_option
def audit(limit: int, output: str) -> None:
    """List who did what, newest first."""
    rows = session.config().get("/api/v1/audit", {"limit": limit})["items"]
    show(rows, output, _deed_line, "Nobody did anything yet.")


@click.command()
@click.argument("node")
@click.argument("service", required=False)
@format_option
def recheck(node: str, service: str | None, output: str) -> None:
    """Run the check of NODE's SERVICE now, or of NODE itself, and show its result, which counts like any other."""
    runner = session.node(node).get("checked_from") or node
    path = f"/api/v1/checks/{service or NODE_ITSELF}/run"
    show(session.place(f"node:{runner}").post(path, query={"node": node}, timeout=100.0), output, _result_line)


def _everywhere() -> list[str]:
    """Every node that has a node server, then every server."""
    nodes = session.pages(session.config(), "/api/v1/objects/node", {})
    return [f"node:{node['name']}" for node in nodes if node.get("agent") is not False] + list(SERVERS)


def _ask(places: list[str]) -> tuple[list[Row], list[str]]:
    """Ask all places at once. Return the programs, those of one supervisor once, and a sentence for each place that is silent."""

    def ask(place: str) -> Row | str:
        try:
            client: Client = session.place(place, seconds=5.0)
            found = told.programs(place.removeprefix("node:"), client.get("/api/v1/programs"))
        except NodewardError as error:
            return f"{place.removeprefix('node:')}: {error}"
        return found

    rows: list[Row] = []
    silent: list[str] = []
    seen: set[str] = set()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for place, answer in zip(places, pool.map(ask, places), strict=True):
            if isinstance(answer, str):
                silent.append(answer)
                continue
            which = answer.get("supervisor") or place  # a server that is not upgraded yet does not say
            if which not in seen:
                rows += [{"where": place.removeprefix("node:"), **row} for row in answer["items"]]
            seen.add(which)
    return rows, silent


def _program_line(row: Row) -> Row:
    return {
        "where": row["where"], "program": row["name"], "state": row["state"], "pid": row["pid"], "since": moment(row["since"]),
        "what": row["spawn_error"] or (f"exit code {row['exit_status']}" if row["exit_status"] else None),
    }  # fmt: skip


def _deed_line(row: Row) -> Row:
    return {
        "time": moment(row["time"]), "who": row["who"], "via": row["via"], "from": row["address"], "action": row["action"],
        "what": row["what"],
    }  # fmt: skip


def _result_line(row: Row) -> Row:
    more = row["long_output"].count("\n") + 1 if row["long_output"] else 0
    return {
        "node": row["node"], "service": row["service"], "state": row["state"], "took": f"{row['duration'] * 1000:.0f} ms",
        "output": row["output"] + (f" (and {counted(more, 'line')}: -o yaml)" if more else ""),
    }  # fmt: skip


COMMANDS = {"programs": programs, "audit": audit, "recheck": recheck}
