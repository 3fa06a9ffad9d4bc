"""Whatever answers at a node's address: a rollout's look at it, and all that it does there, gives a sentence."""

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from fakes import nonsense
from fakes.rogue import Rogue
from fakes.tickets import Always
from nodeward.configserver.rollout.nodes import Nodes
from nodeward.core.errors import NotOurs

DEEDS: dict[str, Callable[[Nodes], Any]] = {
    "look": lambda nodes: nodes.look("web-1"),
    "put": lambda nodes: nodes.put("web-1", {"nodeserver.json": "{}"}, check=False),
    "drain": lambda nodes: nodes.drain("web-1", {"files": {}, "reload": False, "now": False}),
    "lift": lambda nodes: nodes.lift("web-1"),
    "programs": lambda nodes: nodes.programs("web-1", reload=False, check=False),
}


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rogue]:
    with Rogue("127.0.0.1", 0) as listening:
        monkeypatch.setenv("NODEWARD_NODESERVER_PORT", str(listening.port))
        yield listening


@pytest.fixture
def nodes() -> Nodes:
    registry: Any = SimpleNamespace(get=lambda _: {"name": "web-1", "address": "127.0.0.1"})
    monitor: Any = SimpleNamespace(get=lambda *_, **__: {"items": [{"state": "UP", "output": "", "last_check": None}]})
    return Nodes(registry, Always(), monitor)


def _outcome(ask: Callable[[], Any]) -> tuple[Any, str]:
    """Return what came, or the sentence."""
    try:
        return ask(), ""
    except NotOurs as error:
        return None, error.detail


@pytest.mark.parametrize("deed", list(DEEDS))
def test_each_step_of_a_rollout_is_a_sentence_or_what_it_should_be(node: Rogue, nodes: Nodes, deed: str) -> None:
    node.says = lambda method, path: json.dumps(nonsense.good(method, path)).encode()
    right, told_so = DEEDS[deed](nodes), 0
    for kind in nonsense.KINDS:
        node.says = lambda method, path, kind=kind: nonsense.KINDS[kind](nonsense.good(method, path))
        found, said = _outcome(lambda: DEEDS[deed](nodes))
        assert said.startswith("'web-1' answers what is none of ours: ") or found.keys() == right.keys(), kind
        told_so += bool(said)
    assert told_so > len(nonsense.KINDS) / 2


def test_a_node_that_answers_nonsense_is_not_well(node: Rogue, nodes: Nodes) -> None:
    node.says = lambda method, path: json.dumps(nonsense.good(method, path)).encode()
    assert nodes.health("web-1", 2, None)["well"]
    for kind in nonsense.KINDS:
        node.says = lambda method, path, kind=kind: nonsense.KINDS[kind](nonsense.good(method, path))
        found = nodes.health("web-1", 2, None)
        assert not found["well"] or kind in ("half a character", "texts without end"), (kind, found)
        assert all(isinstance(reason, str) for reason in found["reasons"]), kind
