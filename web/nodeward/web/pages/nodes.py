"""The nodes, and one of them."""

from typing import Any

from flask import Blueprint, abort

from nodeward.core import told
from nodeward.core.errors import NodewardError, NotFound
from nodeward.web import backends
from nodeward.web.backends import items
from nodeward.web.faults import Asked
from nodeward.web.fleet import by_node, worst
from nodeward.web.information import sections
from nodeward.web.pages.overview import fleet
from nodeward.web.views import given, page

blueprint = Blueprint("nodes", __name__)

LIMIT = 100
LEVELS = {"error": "Errors", "warning": "Warnings", "all": "All"}  # with what is worse
TABS = {
    "services": "Services", "graphs": "Graphs", "logs": "Logs", "programs": "Programs", "history": "History",
    "information": "Server information",
}  # fmt: skip


@blueprint.get("/nodes")
def show() -> str:
    """A page of nodes, each with its services' states rolled up."""
    asked = given("q", "group", "state", "cursor")
    query = {"kind": "node", "sort": "node", "limit": LIMIT, **asked}
    answer = Asked(lambda: backends.monitor().get("/api/v1/states", query), {"items": [], "next": None})
    problems = Asked(lambda: by_node(row for row in fleet().problems() if row["service"]), {})
    groups = Asked(lambda: sorted({square.group for square in fleet().squares()} - {""}), [])
    return page("nodes.html", answer=answer, rows=items(answer.value), problems=problems, groups=groups, worst=worst)


@blueprint.get("/nodes/<name>")
def one(name: str) -> str:
    """One node: its head, and one of its tabs."""
    tab = given("tab").get("tab", "services")
    if tab not in TABS:
        abort(404)
    states = Asked(lambda: _states(name), [])
    known = Asked(lambda: backends.config().get(f"/api/v1/objects/node/{name}"), {})
    own = next((row for row in states.value if row["service"] is None), None)
    if own is None and not known.value and not states.error and known.error:
        raise NotFound(known.error)
    services = [row for row in states.value if row["service"] is not None]
    node = known.value.get("object", known.value)
    return page(
        "node.html",
        name=name,
        node=node,
        credential=_credential(node),
        own=own,
        services=services,
        states=states,
        tab=tab,
        tabs=TABS,
        **_part(tab, name),
    )


def _credential(node: dict[str, Any]) -> str | None:
    """What is to be done so that the node gets in (again), if the config server knows that something is."""
    if not node or not node.get("agent", True):
        return None
    asked = Asked(lambda: backends.config().get(f"/api/v1/nodes/{node['name']}/delivery"), {})
    sentence: str | None = asked.value.get("credential")
    return sentence


def _states(name: str) -> list[dict[str, Any]]:
    return items(backends.monitor().get("/api/v1/states", {"node": name, "sort": "worst", "limit": 1000}))


def _part(tab: str, name: str) -> dict[str, Any]:
    if tab == "history":
        query = {"node": name, "limit": 100, **given("before")}
        history = Asked(lambda: backends.monitor().get("/api/v1/events", query), {"items": [], "next": None})
        return {"history": history, "following": history.value.get("next")}
    if tab == "logs":
        level = given("level").get("level", "error")
        if level not in LEVELS:
            abort(404)
        return {"sources": Asked(lambda: _sources(name), []), "level": level, "levels": LEVELS}
    if tab == "programs":
        return {
            "programs": Asked(lambda: told.programs(name, backends.node(name).get("/api/v1/programs"))["items"], [])
        }
    if tab == "information":
        info = _information(name)
        return {"info": info, "sections": sections(info.value)}
    return {}


def _sources(name: str) -> list[dict[str, Any]]:
    """What the log server has of the node, the source that was written to last first."""
    found = [row for row in items(backends.logs().get("/api/v1/sources")) if row["node"] == name]
    return sorted(found, key=lambda row: row["last"] or "", reverse=True)


def _information(name: str) -> Asked:
    def ask() -> dict[str, Any]:
        try:
            found: dict[str, Any] = backends.node(name).get("/api/v1/info", timeout=8.0)
        except NodewardError as error:
            error.detail = f"The node server of '{name}' cannot be asked: {error.detail}"
            raise
        return found

    return Asked(ask, {})
