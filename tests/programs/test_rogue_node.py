"""Somebody's own machine stands where a node should be: everybody asks it, and it learns nothing that opens anything."""

import http.cookiejar
import json
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fakes.rogue import Rogue, Seen
from nodeward.core.errors import NodewardError
from support.api_examples import World
from support.appliance_in_view import PASSWORD
from support.ports import free_port
from support.until import until

pytestmark = pytest.mark.timeout(300)

ADDRESS = "127.0.0.9"
FLEET = f"""
- {{kind: node, name: rogue, address: {ADDRESS}}}
- {{kind: check, name: load, assign: {{nodes: [rogue]}}, plugin: load}}
- {{kind: runbook, name: carry-there, steps: [{{copy: {{from: {{path: /etc/hostname}}, to: {{node: rogue, path: /tmp/x}}}}}}]}}
- {{kind: runbook, name: carry-here, steps: [{{copy: {{from: {{node: rogue, path: /tmp/x}}, to: {{path: /tmp/y}}}}}}]}}
- {{kind: runbook, name: call-there, steps: [{{call: {{runbook: look, nodes: [rogue]}}}}]}}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A whole appliance."""
    with World(tmp_path_factory.mktemp("world"), free_port) as made:
        made.appliance.apply(FLEET)
        for name in ("web-8", "web-9"):  # nothing is there, and whoever asks everybody waits for them
            made.appliance.config.delete(f"/api/v1/objects/node/{name}")
        yield made


@pytest.fixture(scope="module")
def rogue(world: World) -> Iterator[Rogue]:
    """What listens where the node `rogue` should, once everybody has asked it everything."""
    port = int(world.appliance.address("nodeserver").rpartition(":")[2])
    with Rogue(ADDRESS, port) as listening:
        ask_by_the_command_line(world)
        ask_as_a_node(world)
        for listening.status in (200, 401, 307):
            ask_as_a_person(world)
            ask_as_who_rolls_out(world)
        yield listening


def ask_as_a_person(world: World) -> None:
    """Look at and act on the node by the pages."""
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    csrf = _csrf(browser, f"{world.appliance.url}/login")
    form = urllib.parse.urlencode({"name": "admin", "password": PASSWORD, "csrf": csrf}).encode()
    browser.open(f"{world.appliance.url}/login", form).close()
    csrf = _csrf(browser, f"{world.appliance.url}/nodes")
    for page in ("nodes/rogue?tab=information", "nodes/rogue?tab=programs", "programs", "runbooks", "runs/rogue/r1",
                 "runs/rogue/r1/output", "runs/rogue/r1/recording", "programs/log?place=node:rogue&name=tailflog"):  # fmt: skip
        _tried(browser, f"{world.appliance.url}/{page}")
    for path, body in (
        ("do/run", {"runbook": "look", "node": "rogue"}),
        ("do/run/stop", {"node": "rogue", "id": "r1"}),
        ("do/run/answer", {"node": "rogue", "id": "r1", "ask": "a", "answer": "yes"}),
        ("do/program", {"place": "node:rogue", "name": "tailflog", "action": "restart"}),
        ("do/recheck", {"targets": [{"node": "rogue", "service": "load"}]}),
    ):
        headers = {"X-CSRF-Token": csrf, "Content-Type": "application/json", "Accept": "application/json"}
        _tried(browser, urllib.request.Request(f"{world.appliance.url}/{path}", json.dumps(body).encode(), headers))
    world.secrets |= {str(cookie.value) for cookie in jar} | {csrf}


def ask_by_the_command_line(world: World) -> None:
    """The same by commands."""
    commands = (
        ["ping", "rogue", "local"], ["programs", "--node", "rogue"], ["programs", "restart", "node:rogue", "tailflog"],
        ["programs", "tail", "node:rogue", "tailflog"], ["recheck", "rogue", "load"], ["run", "look", "--node", "rogue"],
        ["runs"], ["runs", "show", "r1", "--node", "rogue"], ["runs", "stop", "r1", "--node", "rogue"],
        ["token", "rotate", "--node", "rogue"],
    )  # fmt: skip

    def run(words: list[str]) -> str:
        command = [sys.executable, "-m", "nodeward.cli.main", *words]
        return subprocess.run(
            command, env=world.appliance.environment, capture_output=True, text=True, timeout=120
        ).stderr

    with ThreadPoolExecutor(3) as pool:
        for words, said in zip(commands, pool.map(run, commands), strict=True):
            assert "Traceback" not in said, (words, said)


def ask_as_who_rolls_out(world: World) -> None:
    """Every step of a rollout to that node."""
    config = world.appliance.config
    for ask in (
        lambda: config.get("/api/v1/nodes/rogue/placed"),
        lambda: config.put("/api/v1/nodes/rogue/placed", {"files": {"nodeserver.json": "{}"}, "check": False}),
        lambda: config.post("/api/v1/nodes/rogue/programs", {"reload": False, "check": False}),
        lambda: config.get("/api/v1/nodes/rogue/health"),
    ):
        try:
            ask()
        except NodewardError:
            pass  # what it answers is its own business


def ask_as_a_node(world: World) -> None:
    """The node `local` pings it, carries files from and to it, and calls a runbook there."""
    world.local("GET", "/api/v1/peers/rogue/ping?count=1")
    for book in ("carry-there", "carry-here", "call-there"):
        run = world.local("POST", "/api/v1/runs", {"runbook": book, "parameters": {}})["id"]
        until(lambda run=run: world.local("GET", f"/api/v1/runs/{run}")["ended"], 120)


def _csrf(browser: Any, url: str) -> str:
    with browser.open(url) as page:
        found = re.search(r'name="csrf" (?:value|content)="([^"]+)"', page.read().decode())
    assert found is not None
    return found[1]


def _tried(browser: Any, request: Any) -> None:
    try:
        browser.open(request).close()
    except urllib.error.HTTPError as error:
        error.close()


def _by(rogue: Rogue, method: str, pattern: str) -> list[Seen]:
    return [each for each in rogue.seen if each.method == method and re.fullmatch(pattern, each.path)]


def test_everybody_has_asked_it(rogue: Rogue) -> None:
    for method, path in (
        ("GET", "/api/v1/info"), ("GET", "/api/v1/programs"), ("GET", "/api/v1/programs/tailflog/log.*"),
        ("POST", "/api/v1/programs/tailflog/restart"), ("POST", "/api/v1/runs"), ("POST", "/api/v1/runs/r1/stop"),
        ("POST", "/api/v1/runs/r1/answers"), ("GET", "/api/v1/runs/r1/output.*"), ("GET", "/api/v1/runs/r1/recording"),
        ("POST", "/api/v1/checks/load/run.*"), ("GET", "/api/v1/peers/local/ping.*"), ("POST", "/api/v1/token/rotate"),
        ("GET", "/api/v1/bundle"), ("PUT", "/api/v1/bundle"), ("POST", "/api/v1/bundle/programs"),
        ("GET", "/api/v1/peers/hello"), ("PUT", "/api/v1/files.*"), ("GET", "/api/v1/files.*"),
    ):  # fmt: skip
        assert _by(rogue, method, path), (method, path)
    assert not [each for each in rogue.seen if each.path == "/elsewhere"]  # nobody is led on


def test_nothing_that_it_saw_is_a_credential(world: World, rogue: Rogue) -> None:
    kept = {path: path.read_text().strip() for path in (world.var / "secrets").rglob("*") if path.is_file()}
    assert {path.parent.name for path in kept} >= {"cli", "web", "configserver", "monitor", "nodeserver", "node"}
    secrets = {*kept.values(), PASSWORD, *world.secrets}
    assert len(secrets) > 10 and all(len(each) > 10 for each in secrets)
    for each in rogue.seen:
        assert not [secret for secret in secrets if secret.encode() in each.whole], (each.method, each.path)
        assert not TOKEN.search(each.whole), (each.method, each.path)
        assert {name.lower() for name, _ in each.headers} <= PLAIN_HEADERS, each.headers


TOKEN = re.compile(rb"nw_[0-9a-f]{12}_")  # `nw_` alone, a ticket may have by chance
PLAIN_HEADERS = {
    "host", "accept-encoding", "content-length", "content-type", "user-agent", "authorization", "transfer-encoding", "connection",
    "accept",
}  # fmt: skip


def test_what_it_was_shown_opens_nothing_elsewhere(world: World, rogue: Rogue) -> None:
    shown = {each.shown: each for each in rogue.seen}
    assert len(shown) > 20 and all(re.match(r"nwt\.", ticket) for ticket in shown)
    for ticket, each in shown.items():
        answer = world.ask("nodeserver", each.method, each.path, ticket, each.body, "application/json")
        assert answer.status == 401, (each.method, each.path)
        assert answer.json()["detail"] == "The ticket is for node 'rogue'; this is 'local'."
    for role in ("configserver", "logserver", "monitor", "web"):
        for ticket in shown:
            assert world.ask(role, "GET", "/api/v1/whoami", ticket).status == 401
