"""The programs of every server and of the nodes, as supervisor sees them."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, render_template, request

from nodeward.core import told
from nodeward.web import backends
from nodeward.web.backends import ROLES, items
from nodeward.web.faults import Asked
from nodeward.web.pages.actions import place
from nodeward.web.views import all_at_once, given, page

blueprint = Blueprint("programs", __name__)

Row = dict[str, Any]
LIMIT = 25  # nodes on a page: each is asked
TAIL_BYTES = 64 * 1024
QUICK_SECONDS = 4.0


@blueprint.get("/programs")
def show() -> str:
    """Where programs run, and which; places that share one supervisor are shown as one. The servers are on the first page."""
    asked = given("q", "cursor")
    nodes = Asked(lambda: backends.config().get("/api/v1/objects/node", {"limit": LIMIT, **asked}), {})
    servers = [] if "cursor" in asked else [role for role in ROLES if asked.get("q", "").lower() in role]
    names = [*servers, *(f"node:{node['name']}" for node in items(nodes.value) if node.get("agent", True))]
    answers = all_at_once({name: _asking(name) for name in names})
    return page("programs.html", places=together(answers), following=nodes.value.get("next"), nodes=nodes)


@blueprint.get("/programs/log")
def log() -> str:
    """The end of a program's output."""
    where, name = request.args.get("place", ""), request.args.get("name", "")
    answer = place(where).get(f"/api/v1/programs/{name}/log", {"bytes": TAIL_BYTES})
    return render_template("program_log.html", place=where, name=name, log=answer["log"], outer=_outer())


def _outer() -> str:
    return "fragment.html" if request.headers.get("X-Fragment") else "base.html"


def _asking(name: str) -> Callable[[], Asked]:
    return lambda: Asked(lambda: told.programs(name, place(name).get("/api/v1/programs", timeout=QUICK_SECONDS)), {})


def together(answers: dict[str, Asked]) -> list[dict[str, Any]]:
    """Given what each place answered, return places with their programs; those under one supervisor as one."""
    found: dict[str, dict[str, Any]] = {}
    for name, answer in answers.items():
        same = answer.value.get("supervisor") or name
        entry = found.setdefault(same, {"places": [], "programs": items(answer.value), "error": answer.error})
        entry["places"].append(name)
    return list(found.values())
