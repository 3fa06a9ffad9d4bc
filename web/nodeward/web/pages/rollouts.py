"""Changes on their way to the nodes: which node runs what, rolling out, and each rollout as it goes."""

import difflib
from typing import Any

from flask import Blueprint, Response, jsonify, request, url_for
from pydantic import Field

from nodeward.core import clock
from nodeward.core.http import Body
from nodeward.web import auth, backends
from nodeward.web.backends import items
from nodeward.web.faults import Asked
from nodeward.web.pages.actions import body
from nodeward.web.views import all_at_once, given, page
from nodeward.web.words import micros

blueprint = Blueprint("rollouts", __name__)

Row = dict[str, Any]
MOST_NODES = 500
STAYS = 600 * 1_000_000  # µs that the last rollout stays in sight after its end
TILES = 400
KINDS = {"+": "added", "-": "removed", " ": "same", "@": "title"}
SHAPES = {
    "healthy": "ok", "current": "ok", "done": "ok", "due": "pending", "waiting": "pending", "staged": "pending",
    "applied": "pending", "cutting off": "warning",
    "running": "pending", "failed": "critical", "rolled back": "warning", "aborted": "warning", "lost": "warning",
}  # fmt: skip


class Order(Body):
    """What is to be started."""

    action: str = Field("rollout", pattern="^(rollout|rollback)$")
    limit: str = Field("", max_length=500)
    canary: int = Field(1, ge=1, le=10_000)
    now: bool = False


@blueprint.get("/rollouts")
def show() -> str:
    """The one that runs or has just ended, how the nodes stand, and those before."""
    auth.needs("operator")
    asked = all_at_once(
        {
            "rollouts": lambda: _asked("/api/v1/rollouts", {"limit": 20, **given("cursor")}),
            "delivery": lambda: _asked("/api/v1/delivery", {"limit": MOST_NODES}),
        }
    )
    rows = items(asked["rollouts"].value)
    shown = in_sight(rows, clock.now()) if "cursor" not in request.args else None
    current = Asked(lambda: _one(shown["id"]), None) if shown else None
    return page(
        "rollouts.html",
        asked=asked,
        rows=rows,
        following=asked["rollouts"].value.get("next"),
        nodes=items(asked["delivery"].value),
        more=asked["delivery"].value.get("next"),
        current=current.value if current else None,
        running=any(row["state"] == "running" for row in rows),
        note=note,
        shapes=SHAPES,
    )


@blueprint.get("/rollouts/<int:number>")
def one(number: int) -> str:
    """One rollout: its batches, its nodes, what changed on each."""
    auth.needs("operator")
    found = _one(number)
    events = Asked(lambda: items(backends.config().get(f"/api/v1/rollouts/{number}/events")), [])
    said = Asked(lambda: backends.config().get(f"/api/v1/rollouts/{number}/output")["output"], "")
    return page("rollout.html", current=found, diffs=diffs(events.value), events=events, said=said, shapes=SHAPES)


@blueprint.get("/rollouts/preview/<node>")
def preview(node: str) -> str:
    """What the next rollout brings to a node, as the config server renders it, beside what the node is to have now."""
    auth.needs("operator")
    newest = backends.config().get(f"/api/v1/nodes/{node}/bundle")
    handed = backends.config().get(f"/api/v1/nodes/{node}/handed")
    return page("rollout_preview.html", node=node, newest=newest, handed=handed, files=compared(handed, newest))


@blueprint.post("/rollouts/start")
def start() -> Response:
    """Start a rollout or a rollback."""
    auth.needs("operator")
    wanted = body(Order)
    row = backends.config().post("/api/v1/rollouts", wanted.model_dump())
    return jsonify(
        message=f"{wanted.action.capitalize()} {row['id']} has started.", url=url_for("rollouts.one", number=row["id"])
    )


@blueprint.post("/rollouts/<int:number>/abort")
def abort(number: int) -> Response:
    """Let a rollout begin with no other node."""
    auth.needs("operator")
    backends.config().post(f"/api/v1/rollouts/{number}/abort")
    return jsonify(message=f"Rollout {number} begins with no other node; those at work are seen through.")


def _asked(path: str, query: Row) -> Asked:
    return Asked(lambda: backends.config().get(path, query), {"items": []})


def _one(number: int) -> Row:
    found: Row = backends.config().get(f"/api/v1/rollouts/{number}")
    nothing = found["state"] == "done" and all(each["state"] == "current" for each in found["nodes"].values())
    return {**found, "batches": batches(found["nodes"]), "nothing": nothing}


def in_sight(rows: list[Row], now: int) -> Row | None:
    """Return the rollout that runs, else the last one if it has just ended: whoever follows it sees how it came out."""
    running = next((row for row in rows if row["state"] == "running"), None)
    if running or not rows:
        return running
    ended = micros(rows[0].get("ended"))
    return rows[0] if ended is not None and now - ended < STAYS else None


def batches(nodes: dict[str, Row]) -> list[Row]:
    """Return a rollout's nodes by batch, as columns: those with nothing to do, and those that wait, have none yet."""
    columns: dict[str, list[Row]] = {}
    for name, each in sorted(nodes.items()):
        batch = each.get("batch")
        title = (
            "Canary" if batch == 1 else f"Batch {batch}" if batch
            else "Up to date" if each["state"] == "current" else "Waiting"
        )  # fmt: skip
        columns.setdefault(title, []).append({"node": name, **each})
    order = sorted(
        columns, key=lambda title: (title != "Canary", not title.startswith("Batch"), title != "Waiting", title)
    )
    return [{"title": title, "nodes": columns[title][:TILES], "more": len(columns[title]) - TILES} for title in order]


def diffs(events: list[Row]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what a rollout changed on each node, as lines with their kinds."""
    found = {event["node"]: event["diff"] for event in events if event.get("diff")}
    return [(node, lines(text)) for node, text in sorted(found.items())]


def compared(before: Row, after: Row) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return how the files of two bundles differ, by name, as lines with their kinds."""
    found = []
    for name in sorted(before["files"].keys() | after["files"].keys()):
        old, new = (bundle["files"].get(name, "").splitlines() for bundle in (before, after))
        text = "\n".join(list(difflib.unified_diff(old, new, lineterm="", n=2))[2:])
        found.append((name, lines(text)))
    return found


def lines(text: str) -> list[tuple[str, str]]:
    """Return a unified diff's lines as (``added`` | ``removed`` | ``same`` | ``title``, text)."""
    found = []
    for line in text.splitlines():
        title = line.startswith(("--- ", "+++ ", "@@"))
        found.append(("title" if title else KINDS.get(line[:1], "same"), line if title else line[1:]))
    return found


def note(row: Row) -> str:
    """Return what is to be said of how a node stands."""
    if row.get("error"):
        return str(row["error"])
    if row.get("refused"):
        return f"held back: {row['refused']}"
    if row.get("drift"):
        return "changed by hand"
    return "waits for a rollout" if row.get("waiting") else ""
