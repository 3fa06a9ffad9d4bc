"""Whatever answers at another node's address: a run that calls or copies there fails with a sentence, and a ping says it."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fakes import nonsense
from fakes.config import FakeConfig
from fakes.rogue import Rogue
from nodeward.core.client import Client
from nodeward.core.errors import NodewardError
from nodeward.core.runbook import Copy
from nodeward.nodeserver.peers import Peers
from nodeward.nodeserver.runbooks import peers
from nodeward.nodeserver.runbooks.redact import Redactor, Stream


class Journal:
    """Keeps what is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def tell(self, event: str, /, **more: Any) -> None:
        self.told.append((event, more))

    def output(self, text: str, node: str | None = None) -> None:
        self.told.append((text, node))

    def flush(self) -> None:
        """All is written."""

    def stream(self) -> Stream:
        return Stream(Redactor())


class World:
    """The node `here`, and what answers at `web-1`'s address."""

    def __init__(self, config: FakeConfig, node: Rogue, folder: Path) -> None:
        self.node, self.journal, self.folder = node, Journal(), folder
        token = folder / "token"
        token.write_text(config.node_token("here"))
        config.nodes = [{"name": "web-1", "address": "127.0.0.1"}]
        self.peers = Peers("here", Client(config.url, token.read_text()))
        job = {"node": {"name": "here"}, "run": "r1", "runbook": "carry", "config_url": config.url, "token_file": str(token),
               "copy_bytes": 1000}  # fmt: skip
        control = SimpleNamespace(check=lambda: None)
        self.course: Any = SimpleNamespace(job=job, journal=self.journal, control=control, fill=lambda text: text)

    def called(self) -> tuple[str, str]:
        """Call a runbook there; return how it ended, and why."""
        return peers._Followed(self.course, "web-1", threading.Event()).run("look", {})


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[World]:
    with FakeConfig() as config, Rogue("127.0.0.1", 0) as node:
        monkeypatch.setenv("NODEWARD_NODESERVER_PORT", str(node.port))
        yield World(config, node, tmp_path)


def test_a_called_run_that_is_right_is_followed_to_its_end(world: World) -> None:
    world.node.says = lambda method, path: json.dumps(nonsense.good(method, path)).encode()
    assert world.called() == ("succeeded", "")
    assert ("up 3 days\r\n", "web-1") in world.journal.told


@pytest.mark.parametrize("only", ["POST", "GET"])  # already that it began, or what it prints
def test_a_called_run_that_is_nonsense_failed_at_once(world: World, only: str) -> None:
    failed = 0
    for kind in nonsense.KINDS:
        world.node.says = lambda method, path, kind=kind: (
            nonsense.KINDS[kind] if method == only else lambda good: json.dumps(good).encode()
        )(nonsense.good(method, path))
        state, detail = world.called()
        assert state in ("succeeded", "failed"), kind
        assert state == "succeeded" or "'web-1' answers what is none of ours" in detail, (kind, detail)
        failed += state == "failed"
    assert failed > len(nonsense.KINDS) / 2
    assert "\x1b]" not in str([more for event, more in world.journal.told if event == "note"])


def test_a_ping_says_what_answers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nodeward.nodeserver.peers.ping", lambda *_: [0.001])
    for kind in nonsense.KINDS:
        world.node.says = lambda method, path, kind=kind: nonsense.KINDS[kind](nonsense.good(method, path))
        found = world.peers.ping("web-1", 1)
        assert found["answers"] in (True, False) and (found["answers"] or found["error"].startswith("answer: ")), kind
        json.dumps(found, allow_nan=False)


def headers(monkeypatch: pytest.MonkeyPatch, world: World, told: dict[str, str], content: bytes) -> None:
    """Let the node answer a file with these headers."""
    send = world.node.handler.send_header

    def other(self: Any, name: str, value: str) -> None:
        if name not in told:
            send(self, name, value)
        if name == "Content-Type":
            for each in told.items():
                send(self, *each)

    monkeypatch.setattr(world.node.handler, "send_header", other)
    world.node.says = lambda _method, _path: content


RIGHT = {"Content-Length": "3", "Nodeward-Mode": "640", "Nodeward-Sha256": "0" * 64}


@pytest.mark.parametrize(
    ("odd", "says"),
    [
        ({"Nodeward-Mode": "-7"}, "no node server"), ({"Nodeward-Mode": "9"}, "no node server"),
        ({"Nodeward-Mode": "77777"}, "no node server"), ({"Nodeward-Sha256": "x"}, "no node server"),
        ({"Nodeward-Sha256": "\x1b]0;x"}, "no node server"), ({"Content-Length": "1001"}, "larger than a copy may be"),
        ({"Content-Length": "9" * 18}, "larger than a copy may be"), ({}, "is not what was sent"),
    ],
)  # fmt: skip
def test_a_file_whose_head_is_nonsense_or_that_is_too_large_is_not_begun(
    world: World, monkeypatch: pytest.MonkeyPatch, odd: dict[str, str], says: str
) -> None:
    headers(monkeypatch, world, RIGHT | odd, b"abc")
    target = world.folder / "it"
    given = Copy.model_validate({"from": {"node": "web-1", "path": "/tmp/it"}, "to": {"path": str(target)}})
    with pytest.raises(NodewardError, match=says):
        peers.copy(world.course, given, float("inf"))
    assert [each.name for each in world.folder.iterdir()] == ["token"]
