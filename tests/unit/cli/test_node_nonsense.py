"""Whatever answers at a node's address: a command that asks it ends with a sentence, or with what can be printed."""

import json
import os
import sys
from collections.abc import Iterator

import pytest

from fakes import nonsense
from fakes.fleet import FleetConfig
from fakes.rogue import Rogue
from nodeward.cli import session
from nodeward.cli.main import main

ID = str(nonsense.RUN["id"])
COMMANDS = (
    ["ping", "web-1", "web-2"],
    ["programs", "--node", "web-1"],
    ["programs", "restart", "node:web-1", "tailflog"],
    ["programs", "tail", "web-1", "tailflog"],
    ["recheck", "web-1", "load"],
    ["run", "look", "--node", "web-1"],
    ["run", "look", "--node", "web-1", "--follow"],
    ["runs", "--node", "web-1"],
    ["runs", "show", ID, "--node", "web-1"],
    ["runs", "show", ID, "--node", "web-1", "--follow"],
    ["runs", "show", ID, "--node", "web-1", "-o", "json"],
    ["runs", "show", ID, "--node", "web-1", "-o", "yaml"],
    ["runs", "stop", ID, "--node", "web-1"],
    ["runs", "answer", ID, "yes", "--node", "web-1"],
    ["runs", "replay", ID, "--node", "web-1", "--speed", "0"],
    ["runs", "replay", ID, "--node", "web-1", "-o", "asciicast"],
    ["token", "rotate", "--node", "web-1"],
)


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rogue]:
    """What answers at the address of `web-1`, the only node."""
    for name in [name for name in os.environ if name.startswith("NODEWARD_")]:
        monkeypatch.delenv(name)
    caches = (session.tickets, session.settings)
    with FleetConfig() as config, Rogue("127.0.0.1", 0) as listening:
        config.nodes = [{"kind": "node", "name": "web-1", "address": "127.0.0.1"}]
        config.objects["node"] = {"web-1": config.nodes[0]}
        config.objects["runbook"] = {"look": {"kind": "runbook", "name": "look", "steps": []}}
        monkeypatch.setenv("NODEWARD_VAR", str(tmp_path_factory.mktemp("var")))
        monkeypatch.setenv("NODEWARD_URL", config.url)
        monkeypatch.setenv("NODEWARD_TOKEN", config.tokens["admin"])
        monkeypatch.setenv("NODEWARD_NODESERVER_PORT", str(listening.port))
        for each in caches:
            each.cache_clear()
        yield listening
    for each in caches:
        each.cache_clear()


def ended(words: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a command as the operator does; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["nodeward", *words])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_ends_with_a_sentence(
    node: Rogue, words: list[str], monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    node.says = lambda method, path: json.dumps(nonsense.good(method, path)).encode()
    assert ended(words, monkeypatch) == 0, capsysbinary.readouterr().err
    capsysbinary.readouterr()
    told_so = 0
    for kind, make in nonsense.KINDS.items():
        before = len(node.seen)
        node.says = lambda method, path, make=make: make(nonsense.good(method, path))
        code = ended(words, monkeypatch)
        out, err = (text.decode(errors="replace") for text in capsysbinary.readouterr())
        assert len(node.seen) > before, "it was not asked at all"
        assert code in (0, 1), (kind, err)
        assert "\x1b]" not in err + out, kind
        told_so += "'web-1' answers what is none of ours: " in err
        if code == 0 and words[-1] == "json":
            json.loads(out, parse_constant=pytest.fail)
    assert told_so > len(nonsense.KINDS) / 3 or "asciicast" in words
