"""rollout, rollback, rollouts, delivery: changes on their way to the nodes."""

import sys
from typing import Any

import click

from nodeward.cli import session
from nodeward.cli.output import format_option, printed, show, text
from nodeward.core import clock
from nodeward.core.client import Client
from nodeward.core.errors import EXIT_FAILED, EXIT_OK

WAIT_SECONDS = 20
LIMIT = click.option("--limit", default="", help="Only these: nodes or groups, with commas between.")
CANARY = click.option(
    "--canary", default=1, show_default=True, type=click.IntRange(min=1), help="How many go first, and must be well."
)
WAIT = click.option(
    "--wait",
    default="5m",
    show_default=True,
    metavar="DURATION",
    help="How long runs of runbooks may take to end on a node whose node server starts anew; then it stops there.",
)
NOW = click.option("--now", is_flag=True, help="Do not wait for runs of runbooks: cut them off.")
DETACH = click.option("--detach", is_flag=True, help="Do not wait for the end; print the rollout's number.")


@click.command()
@LIMIT
@CANARY
@WAIT
@NOW
@DETACH
def rollout(limit: str, canary: int, wait: str, now: bool, detach: bool) -> int:
    """Bring nodes to their newest configuration: one first, then the others.

    A node that is not well with it gets the one before back, and the rollout stops there (exit code 1).
    """
    return _start({"action": "rollout", "limit": limit, "canary": canary, "wait": _seconds(wait), "now": now}, detach)


@click.command()
@LIMIT
@CANARY
@WAIT
@NOW
@DETACH
def rollback(limit: str, canary: int, wait: str, now: bool, detach: bool) -> int:
    """Give nodes back the configuration they had before their last one.

    It stays until a node's configuration is another one, or is rolled out anew.
    """
    return _start({"action": "rollback", "limit": limit, "canary": canary, "wait": _seconds(wait), "now": now}, detach)


@click.group(invoke_without_command=True)
@click.option("--limit", "count", default=20, show_default=True, help="How many.")
@format_option
@click.pass_context
def rollouts(ctx: click.Context, count: int, output: str) -> None:
    """List rollouts and rollbacks, newest first."""
    if ctx.invoked_subcommand is None:
        rows = session.config().get("/api/v1/rollouts", {"limit": count})["items"]
        columns = ("id", "action", "state", "started", "who", "revision", "limit", "nodes", "reason")
        brief = [{**row, "reason": row["reason"].split("\n")[0]} for row in rows] if output == "table" else rows
        show(brief, output, columns, "Nothing was rolled out yet.")


@rollouts.command("show")
@click.argument("number", type=int)
@format_option
def show_one(number: int, output: str) -> None:
    """Show how far each node is in rollout NUMBER."""
    found = session.config().get(f"/api/v1/rollouts/{number}")
    if output != "table":
        show(found, output, ())
        return
    click.echo(_headline(found))
    rows = [{"node": name, "detail": "", "revision": None, **each} for name, each in sorted(found["nodes"].items())]
    show(rows, output, ("node", "state", "revision", "batch", "at", "detail"), "No node was reached.")


@rollouts.command()
@click.argument("number", type=int)
def abort(number: int) -> None:
    """Let rollout NUMBER begin with no other node; those at work are seen through."""
    session.config().post(f"/api/v1/rollouts/{number}/abort")
    click.echo(f"Rollout {number} begins with no other node.")


@rollouts.command("output")
@click.argument("number", type=int)
def output_of(number: int) -> None:
    """Print what Ansible said in rollout NUMBER."""
    click.echo(printed(session.config().get(f"/api/v1/rollouts/{number}/output")["output"]), nl=False)


@click.command()
@format_option
def delivery(output: str) -> None:
    """Show which revision each node runs, is handed, and could have."""
    rows = session.pages(session.config(), "/api/v1/delivery", {})
    told = [{**row, "note": _note(row)} for row in rows] if output == "table" else rows
    show(told, output, ("node", "delivery", "running", "handed", "newest", "heard", "note"), "There is no node yet.")


def _seconds(wait: str) -> float:
    try:
        return clock.parse_duration(wait)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--wait") from None


def _start(order: dict[str, Any], detach: bool) -> int:
    client = session.config()
    row = client.post("/api/v1/rollouts", order)
    if detach:
        click.echo(str(row["id"]))
        return EXIT_OK
    click.echo(
        f"{order['action'].capitalize()} {row['id']} has started; `nodeward rollouts abort {row['id']}` stops it.",
        err=True,
    )
    return _follow(client, row["id"])


def _follow(client: Client, number: int) -> int:
    """Print what happens until it is over. Return the exit code."""
    path, after = f"/api/v1/rollouts/{number}/events", 0
    said: dict[str, str] = {}
    while True:
        answer = client.get(path, {"after": after, "wait": WAIT_SECONDS}, timeout=WAIT_SECONDS + 30)
        for event in answer["items"]:
            _tell(event, said)
        after = answer["cursor"]
        if answer["state"] != "running" and not answer["items"]:
            break
    found = client.get(f"/api/v1/rollouts/{number}")
    if found["reason"] in (f"{node}: {detail}" for node, detail in said.items()):
        found["reason"] = ""  # it stands two lines above
    click.echo(_headline(found), err=True)
    return EXIT_OK if found["state"] == "done" else EXIT_FAILED


def _tell(event: dict[str, Any], said: dict[str, str]) -> None:
    """Print an event, of a detail only what is new; `said` is what was said of each node last."""
    if event["type"] == "node":
        node, detail = event["node"], event.get("detail") or ""
        news = _lines(detail.removeprefix(said.get(node, "")))
        said[node] = detail
        click.echo(f"{text(node):<24} {event['state']:<12} {news}".rstrip())
        sys.stdout.flush()
    elif event["type"] == "changed" and event.get("aborted_by"):
        click.echo(f"Aborted by {text(event['aborted_by'])}: no other node is begun with.", err=True)


def _headline(row: dict[str, Any]) -> str:
    counts: dict[str, int] = {}
    for each in row["nodes"].values():
        counts[each["state"]] = counts.get(each["state"], 0) + 1
    summary = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "no node"
    reason = f" {_lines(row['reason'])}" if row["reason"] else ""
    return f"{row['action'].capitalize()} {row['id']} by {text(row['who'])}, {row['state']}: {summary}.{reason}"


def _note(row: dict[str, Any]) -> str:
    if row.get("credential"):  # an older config server does not say
        return _lines(row["credential"])
    if row["error"]:
        return _lines(row["error"])
    if row["refused"]:
        return f"held back: {_lines(row['refused'])}"
    if row["drift"]:
        return "changed by hand"
    return "waits for a rollout" if row["waiting"] else "-"


def _lines(words: str) -> str:
    """Text of several lines on one, that cannot harm a terminal."""
    return text(" ".join(words.split()))


COMMANDS = {"rollout": rollout, "rollback": rollback, "rollouts": rollouts, "delivery": delivery}
