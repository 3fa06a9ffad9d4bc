"""Pages that ask every node, before a fleet of hundreds."""

import threading
from typing import Any

import pytest

from nodeward.core.errors import Unavailable
from nodeward.web import backends, runs
from nodeward.web.runs import Past, matching
from support.web import Web

FLEET = 60


class NodeServers:
    """Every node has two runs, and the programs that there are on any; `away` are those that do not answer,
    `nonsense` is what others answer instead."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.away: set[str] = set()
        self.nonsense: dict[str, Any] = {}
        self._lock = threading.Lock()

    def of(self, node: dict[str, Any]) -> Any:
        return _NodeServer(self, node["name"])

    def answer(self, name: str, path: str, query: dict[str, Any]) -> Any:
        with self._lock:
            self.asked.append(name)
        if name in self.away:
            raise Unavailable(f"{name} does not answer.")
        if name in self.nonsense:
            return self.nonsense[name]
        if path == "/api/v1/programs":
            return {"items": [{"name": f"on-{name}", "pid": hash(name), "state": "RUNNING", "since": None, "spawn_error": "",
                               "exit_status": None}]}  # fmt: skip
        number = int(name.rpartition("-")[2])
        made = [run(f"{hour}{number:04}", name) for hour in (2, 1)]
        cursor = query.get("cursor")
        return {"items": [row for row in made if cursor is None or row["id"] < cursor], "next": None}


class _NodeServer:
    def __init__(self, servers: NodeServers, name: str) -> None:
        self._servers, self._name = servers, name

    def get(self, path: str, query: dict[str, Any] | None = None, timeout: float = 0.0) -> Any:
        return self._servers.answer(self._name, path, query or {})


def run(identifier: str, node: str) -> dict[str, Any]:
    return {"id": identifier, "runbook": "greet", "node": node, "by": "ada", "state": "succeeded", "detail": "",
            "parameters": {}, "started": "2026-01-02T03:04:05Z"}  # fmt: skip


@pytest.fixture
def nodes(web: Web, monkeypatch: pytest.MonkeyPatch) -> NodeServers:
    servers = NodeServers()
    for number in range(4, FLEET + 1):
        name = f"web-{number}"
        web.config.objects["node"][name] = {"kind": "node", "name": name, "address": "127.0.0.1", "groups": []}
    web.config.objects["node"]["switch"] = {"kind": "node", "name": "switch", "address": "127.0.0.1", "agent": False}
    monkeypatch.setattr(runs, "PATIENCE", 600.0)  # this machine may be a slow one
    monkeypatch.setattr(backends, "node_of", servers.of)
    monkeypatch.setattr(backends, "node", lambda name: servers.of({"name": name}))
    return servers


def listed(text: str) -> list[str]:
    return [part.split("<", 1)[0] for part in text.split('class="address">')[1:]]


def test_the_runs_of_all_nodes_are_listed_page_by_page(web: Web, nodes: NodeServers) -> None:
    visitor = web.visitor("vera")
    first = visitor.get("/runbooks").text
    assert set(nodes.asked) == {f"web-{number}" for number in range(1, FLEET + 1)}
    assert len(listed(first)) == runs.LIMIT and listed(first)[0] == f"web-{FLEET}"
    second = visitor.get("/runbooks?cursor=" + first.split("cursor=")[1].split('"')[0]).text
    assert len(listed(first) + listed(second)) == 2 * FLEET
    assert "Next page" not in second and "No runs" not in second


def test_runs_are_found_by_a_nodes_name_or_a_part_of_it(web: Web, nodes: NodeServers) -> None:
    assert set(listed(web.visitor("vera").get("/runbooks?node=web-6").text)) == {"web-6"}
    assert set(listed(web.visitor("vera").get("/runbooks?node=B-5").text)) == {
        "web-5",
        *(f"web-5{n}" for n in range(10)),
    }
    assert matching([{"name": "a"}], "nothing") == []


def test_nodes_that_are_down_are_not_waited_for_and_said_in_one_sentence(web: Web, nodes: NodeServers) -> None:
    nodes.away = {f"web-{number}" for number in range(40, 50)}
    web.fleet.set_state("web-2", None, "DOWN", "silent")
    text = web.visitor("vera").get("/runbooks").text
    assert "web-2" not in nodes.asked and text.count('class="banner"') == 1
    assert "The runs of 11 nodes are missing: web-2, " in text and " and 5 more. The first of them: It is DOWN." in text
    web.visitor("vera").get("/runbooks?node=web-2&state=failed")
    assert "web-2" in nodes.asked, "it was named"


def test_nodes_that_answer_nonsense_spoil_no_other(web: Web, nodes: NodeServers) -> None:
    nodes.nonsense = {
        "web-4": [],
        "web-5": {"items": [{"id": 5}]},
        "web-6": {"items": [run("8", "web-60") | {"started": ""}]},
    }
    nodes.nonsense["web-7"] = {"items": [run("99999", "web-60")], "next": None}
    text = web.visitor("vera").get("/runbooks").text
    assert "The runs of web-4 are missing: &#39;web-4&#39; answers what is none of ours" in text
    assert listed(text)[:2] == ["web-7", "web-60"], "whose it is says who was asked"
    programs = web.visitor("vera").get("/programs?q=web-4").text
    assert programs.count("answers what is none of ours") == 1 and "on-web-41" in programs


def test_more_nodes_are_asked_less_often() -> None:
    assert [Past([], asked=count).seconds for count in (0, 1, 100, 300, 500)] == [5, 5, 5, 15, 25]


def test_programs_come_a_page_of_nodes_at_a_time_the_servers_on_the_first(web: Web, nodes: NodeServers) -> None:
    visitor, seen, pages, path = web.visitor("vera"), set(), 0, "/programs"
    while path:
        text = visitor.get(path).text
        seen |= {part.split("<")[0] for part in text.split("<h2>Node ")[1:]}
        assert ("<h2>configserver</h2>" in text) == (pages == 0)
        pages += 1
        path = (
            "/programs?cursor=" + text.split('rel="next" href="/programs?cursor=')[1].split('"')[0]
            if "Next page" in text
            else ""
        )
    assert seen == {f"web-{number}" for number in range(1, FLEET + 1)} and pages == 3


def test_programs_are_filtered_by_the_name_of_their_node_or_server(web: Web, nodes: NodeServers) -> None:
    text = web.visitor("vera").get("/programs?q=web-33").text
    assert "<h2>Node web-33</h2>" in text and text.count("<h2>") == 1
    assert "<h2>monitor</h2>" in web.visitor("vera").get("/programs?q=monit").text
    assert "No server or node of that name" in web.visitor("vera").get("/programs?q=nothing").text
