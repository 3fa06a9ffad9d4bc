"""run, runs: start a runbook, follow it, answer it, stop it, look at it again."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from nodeward.cli import node_clients, session
from nodeward.cli.output import Row, format_option, printed, show, text
from nodeward.core import told
from nodeward.core.client import Client
from nodeward.core.errors import BadInput, NotFound, NotOurs, Unavailable
from nodeward.core.words import counted

ENDS = ("succeeded", "failed", "stopped", "interrupted")
_COLUMNS = ("id", "node", "runbook", "state", "started", "seconds", "by", "detail")
_WAIT = 20
_PATIENCE = 60.0
_MARKS = {"running": "▶", "ok": "✓", "failed": "✗", "skipped": "–", "stopped": "■"}
_COLOURS = {"ok": "green", "failed": "red", "stopped": "yellow", "skipped": "bright_black"}


@click.command()
@click.argument("runbook")
@click.option("-p", "--parameter", "given", multiple=True, metavar="K=V", help="A parameter's value.")
@click.option("--from-file", "files", multiple=True, metavar="K=FILE", help="A value from a file; - is standard input.")
@click.option("--node", help="The node that runs it; by default this machine, or the only one there is.")
@click.option("-f", "--follow", is_flag=True, help="Show it live until its end; Ctrl-C only stops looking.")
@format_option
def run(
    runbook: str, given: tuple[str, ...], files: tuple[str, ...], node: str | None, follow: bool, output: str
) -> int:
    """Start RUNBOOK. With --follow the exit code is 0 if it succeeded, else 1.

    A secret that is not given is asked for, on a terminal.
    """
    where = node_clients.named(node)
    declared = session.config().get(f"/api/v1/objects/runbook/{runbook}").get("parameters") or {}
    parameters = _parameters(declared, given, files)
    client = node_clients.client(where)
    row = client.post("/api/v1/runs", {"runbook": runbook, "parameters": parameters})
    if not follow:
        if output == "table":
            click.echo(f"Run {row['id']} of {runbook} has begun on {row['node']}.")
            click.echo(
                f"`nodeward runs show {row['id']} --follow` shows it; `nodeward runs stop {row['id']}` stops it.",
                err=True,
            )
        else:
            show(row, output, ())
        return 0
    return _followed(client, row["id"], output)


def _parameters(declared: dict[str, Row], given: tuple[str, ...], files: tuple[str, ...]) -> Row:
    """Return the parameters' values; secrets that are missing are asked for where somebody can answer."""
    found: Row = {}
    for pair in given:
        name, value = _pair(pair)
        found[name] = value
        if (declared.get(name) or {}).get("type") == "secret":
            click.echo(
                f"note: the secret '{name}' was on the command line, where others can read it; --from-file hides it.",
                err=True,
            )
    for pair in files:
        name, path = _pair(pair)
        found[name] = _content(path)
    for name, about in declared.items():
        if (
            (about or {}).get("type") == "secret"
            and name not in found
            and about.get("required", True)
            and sys.stdin.isatty()
        ):
            found[name] = click.prompt(f"{name} ({about['description']})" if about.get("description") else name,
                                       hide_input=True, err=True)  # fmt: skip
    return found


def _pair(text_: str) -> tuple[str, str]:
    name, separator, value = text_.partition("=")
    if not separator or not name:
        raise click.UsageError(f"{text_.partition('=')[0]!r} is not NAME=VALUE.")
    return name, value


def _content(path: str) -> str:
    try:
        content = sys.stdin.read() if path == "-" else Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read ({error}).") from None
    return content.removesuffix("\n")


@click.group(invoke_without_command=True)
@click.option("--node", help="Of one node.")
@click.option("--runbook", help="Of one runbook.")
@click.option(
    "--state", help="In one or more states, by commas: running, asking, succeeded, failed, stopped, interrupted."
)
@click.option("--by", help="Started by somebody.")
@click.option("-q", "--search", "q", help="Whose record or output holds this.")
@click.option("-n", "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
@format_option
@click.pass_context
def runs(context: click.Context, node: str | None, limit: int, output: str, **query: str | None) -> None:
    """List runs of runbooks, newest first; or look at one of them."""
    if context.invoked_subcommand is not None:
        return
    asked = [node_clients.named(node)] if node else node_clients.nodes()
    wanted = {**query, "limit": limit}
    answers, silent = node_clients.all_at_once(
        asked, lambda client: told.runs(client.node, client.get("/api/v1/runs", wanted))["items"]
    )
    rows = sorted((row for each in answers.values() for row in each), key=lambda row: str(row["id"]), reverse=True)[
        :limit
    ]
    for name, why in silent.items():
        click.echo(f"note: {name} was not asked: {why}", err=True)
    show(
        [_line(row) for row in rows] if output == "table" else rows,
        output,
        _COLUMNS,
        "No runs. `nodeward run RUNBOOK` starts one.",
    )


def _line(row: Row) -> Row:
    return {**row, "started": row["started"][:19].replace("T", " ") + "Z"}


_on_node = click.option("--node", help="The node that ran it; by default all are asked.")


@runs.command("show")
@click.argument("run_id", metavar="ID")
@_on_node
@click.option("-f", "--follow", is_flag=True, help="Go on until its end; Ctrl-C only stops looking.")
@format_option
def show_run(run_id: str, node: str | None, follow: bool, output: str) -> int:
    """Show run ID: its steps and what it printed."""
    client = _holder(run_id, node)
    if follow:
        return _followed(client, run_id, output)
    row = client.get(f"/api/v1/runs/{run_id}")
    if output != "table":
        show({**row, "output": "".join(_printed(client, run_id))}, output, ())
        return 0
    detail = text(row["detail"]) if row["detail"] else ""
    click.echo(
        f"{row['id']}  {row['runbook']} on {row['node']} by {text(row['by'])}: {row['state']}  {detail}".rstrip()
    )
    for name, value in row["parameters"].items():
        click.echo(f"  {text(name)} = {text(value)}")
    for step in row["steps"]:
        click.echo(_step_line(step))
    click.echo()
    click.echo(printed("".join(_printed(client, run_id))), nl=False)
    _say_question(row)
    return 0


@runs.command("stop")
@click.argument("run_id", metavar="ID")
@_on_node
@format_option
def stop_run(run_id: str, node: str | None, output: str) -> None:
    """Stop run ID: everything that it started is ended, then what it always does is done."""
    row = _holder(run_id, node).post(f"/api/v1/runs/{run_id}/stop", {})
    if output == "table":
        click.echo(f"Run {run_id} is being stopped.")
    else:
        show(row, output, ())


@runs.command("answer")
@click.argument("run_id", metavar="ID")
@click.argument("answer", required=False)
@_on_node
@format_option
def answer_run(run_id: str, answer: str | None, node: str | None, output: str) -> None:
    """Answer what run ID asks. Without ANSWER it is asked for; a secret is not shown."""
    client = _holder(run_id, node)
    ask = client.get(f"/api/v1/runs/{run_id}")["ask"]
    if ask is None:
        raise click.ClickException(f"Run {run_id} asks nothing now.")
    body = {"answer": _asked(ask) if answer is None else answer, "ask": ask["ask"]}
    row = client.post(f"/api/v1/runs/{run_id}/answers", body)
    if output == "table":
        click.echo(f"Run {run_id} has its answer.")
    else:
        show(row, output, ())


@runs.command("replay")
@click.argument("run_id", metavar="ID")
@_on_node
@click.option("--speed", type=click.FloatRange(0), default=1.0, show_default=True, help="How fast; 0 is at once.")
@click.option("--idle", type=click.FloatRange(0), default=2.0, show_default=True, help="The longest pause, in seconds.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["play", "asciicast", "json"]),
    default="play",
    help="Play it, or give its events.",
)
def replay(run_id: str, node: str | None, speed: float, idle: float, output: str) -> None:
    """Play run ID again, as it was. `-o asciicast` gives a file for asciinema."""
    client = _holder(run_id, node)
    if output == "asciicast":
        for piece in client.pieces(f"/api/v1/runs/{run_id}/recording"):
            click.echo(piece, nl=False)
        return
    events = _events(client, run_id)
    if output == "json":
        click.echo(json.dumps(list(events), indent=2, ensure_ascii=False))
        return
    before: int | None = None
    for event in events:
        if speed and before is not None:
            time.sleep(max(0.0, min((event["at"] - before) / 1e6 / speed, idle)))  # its clock may have been set back
        before = event["at"]
        _tell(event)


def _holder(run_id: str, node: str | None) -> Client:
    """Return the client of the node that has a run. Raise NotFound if none of those that answer has it."""
    if node is not None:
        return node_clients.client(node_clients.named(node))
    known = node_clients.nodes()
    answers, silent = node_clients.all_at_once(known, lambda client: _has(client, run_id))
    for each in known:
        if answers.get(each["name"]):
            return node_clients.client(each)
    asked = f" {counted(len(silent), 'node')} did not answer." if silent else ""
    raise NotFound(f"No node has a run '{run_id}'.{asked}")


def _has(client: Client, run_id: str) -> bool:
    try:
        client.get(f"/api/v1/runs/{run_id}")
    except NotFound:
        return False
    return True


def _events(client: Client, run_id: str) -> Iterator[Row]:
    """Yield what is in a run's journal."""
    after = "0"
    while True:
        answer = client.get(f"/api/v1/runs/{run_id}/output", {"after": after})
        if not answer["items"]:
            return
        yield from answer["items"]
        after = answer["cursor"]


def _printed(client: Client, run_id: str) -> Iterator[str]:
    return (event["text"] for event in _events(client, run_id) if event["type"] == "output")


def _followed(client: Client, run_id: str, output: str) -> int:
    """Show a run until its end; return the exit code. Ctrl-C leaves it alone."""
    try:
        state = _to_its_end(client, run_id, quiet=output != "table")
    except KeyboardInterrupt:
        click.echo(f"\nRun {run_id} goes on without you. `nodeward runs show {run_id} --follow` comes back to it, "
                   f"`nodeward runs stop {run_id}` stops it.", err=True)  # fmt: skip
        return 130
    if output != "table":
        show(client.get(f"/api/v1/runs/{run_id}"), output, ())
    return 0 if state == "succeeded" else 1


def _to_its_end(client: Client, run_id: str, quiet: bool) -> str:
    after, answered, failing = "0", set[str](), 0.0
    while True:
        try:
            page = client.get(f"/api/v1/runs/{run_id}/output", {"after": after, "wait": _WAIT}, timeout=_WAIT + 20)
            failing = 0.0
        except NotOurs:
            raise
        except Unavailable as error:
            failing = failing or time.monotonic()
            if time.monotonic() > failing + _PATIENCE:
                raise
            click.echo(f"note: {error.detail} Trying again.", err=True)
            time.sleep(2.0)
            continue
        began, after = after, page["cursor"]
        for event in page["items"]:
            if not quiet:
                _tell(event)
            if event["type"] == "end":
                return str(event["state"])
        if page["state"] == "asking":
            _answer_here(client, run_id, answered)
        if began == after and page["state"] in ENDS:
            return str(page["state"])
        if not page["items"]:
            time.sleep(0.2)  # where too many watch, nobody is made to wait there


def _answer_here(client: Client, run_id: str, answered: set[str]) -> None:
    """Ask whoever follows, once for each question."""
    row = client.get(f"/api/v1/runs/{run_id}")
    ask = row["ask"]
    if ask is None or ask["ask"] in answered:
        return
    answered.add(ask["ask"])
    if not sys.stdin.isatty():
        _say_question(row)
        return
    answer = _asked(ask)
    try:
        client.post(f"/api/v1/runs/{run_id}/answers", {"answer": answer, "ask": ask["ask"]})
    except BadInput as error:
        click.echo(str(error), err=True)
        answered.discard(ask["ask"])


def _asked(ask: Row) -> str:
    choices = click.Choice(ask["choices"]) if ask["kind"] == "choice" else None
    answer = click.prompt(
        text(ask["question"]), type=choices, hide_input=ask["kind"] == "secret", err=True, default=ask["default"]
    )
    return str(answer)


def _say_question(row: Row) -> None:
    if row["ask"]:
        choices = f" ({text('|'.join(row['ask']['choices']))})" if row["ask"]["choices"] else ""
        click.echo(f"It asks: {text(row['ask']['question'])}{choices}", err=True)
        click.echo(f"`nodeward runs answer {row['id']}` answers it.", err=True)


def _tell(event: Row) -> None:
    """Print what happened: what programs printed on standard output, what the run says of itself on standard error."""
    match event["type"]:
        case "output":
            click.echo(printed(event["text"]), nl=False)
        case "step":
            click.echo(_step_line(event), err=True)
        case "note":
            click.echo(f"  {text(event['text'])}", err=True)
        case "answered":
            click.echo(f"  answered by {text(event['by'] or 'nobody')}: {text(event['answer'])}", err=True)
        case "stopping":
            click.echo(f"  stopped by {text(event['by'])}", err=True)
        case "end":
            detail = f": {text(event['detail'])}" if event["detail"] else ""
            click.echo(click.style(f"{event['state']}{detail}", bold=True), err=True)


def _step_line(step: Row) -> str:
    detail = f": {text(step['detail'])}" if step.get("detail") else ""
    tries = f" (attempt {step['attempt']})" if step.get("attempt", 1) > 1 else ""
    line = f"{_MARKS.get(step['state'], '·')} {text(step['title'])}{tries}  {step['state']}{detail}"
    return click.style(line, fg=_COLOURS.get(step["state"]))


COMMANDS: dict[str, Any] = {"run": run, "runs": runs}
