"""Whatever answers at a node's address: pages that ask that node say so in a sentence, and the rest of them stays usable."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fakes import nonsense
from fakes.rogue import Rogue
from nodeward.core import told
from nodeward.core.errors import NotOurs
from nodeward.web.information import sections
from support.web import Web, post

RUN = f"/runs/web-1/{nonsense.RUN['id']}"
PARTS = ("/nodes/web-1?tab=information", "/nodes/web-1?tab=programs", "/programs?q=web-1", "/runbooks?node=web-1")
WHOLE = (RUN, f"{RUN}/output", "/programs/log?place=node:web-1&name=tailflog", "/api-docs/nodeserver")
DEEDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/do/run", {"runbook": "look", "node": "web-1"}),
    ("/do/run/stop", {"node": "web-1", "id": nonsense.RUN["id"]}),
    ("/do/run/answer", {"node": "web-1", "id": nonsense.RUN["id"], "ask": "q-1", "answer": "yes"}),
    ("/do/program", {"place": "node:web-1", "name": "tailflog", "action": "restart"}),
    ("/do/recheck", {"targets": [{"node": "web-1", "service": "load"}]}),
)
SENTENCE = "answers what is none of ours: "


@pytest.fixture
def node(web: Web, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rogue]:
    """What answers at the address of `web-1`, the only node."""
    for name in ("web-2", "web-3"):
        del web.config.objects["node"][name]
    with Rogue("127.0.0.1", 0) as listening:
        monkeypatch.setenv("NODEWARD_NODESERVER_PORT", str(listening.port))
        yield listening


def answering(node: Rogue, kind: str) -> None:
    node.says = lambda method, path: nonsense.KINDS[kind](nonsense.good(method, path))


def answers(node: Rogue, ask: Callable[[], Any]) -> Iterator[tuple[str, Any]]:
    """Ask while the node answers each kind of nonsense; yield the kind, and what came of it."""
    for kind in nonsense.KINDS:
        before = len(node.seen)
        answering(node, kind)
        answer = ask()
        assert len(node.seen) > before, "it was not asked at all"
        yield kind, answer


def test_what_is_right_is_shown(web: Web, node: Rogue) -> None:
    node.says = lambda method, path: json.dumps(nonsense.good(method, path)).encode()
    ada = web.visitor("ada")
    for path in PARTS + WHOLE:
        answer = ada.get(path)
        assert answer.status_code == 200 and SENTENCE not in answer.text, (path, answer.text)
    for path, sent in DEEDS:
        assert post(ada, path, sent).status_code == 200, path


@pytest.mark.parametrize("path", PARTS)
def test_a_part_of_a_page_says_so_and_the_others_are_there(web: Web, node: Rogue, path: str) -> None:
    vera, told_so = web.visitor("vera"), 0
    for kind, answer in answers(node, lambda: vera.get(path)):
        assert answer.status_code == 200, (kind, answer.text)
        assert nonsense.MARKUP not in answer.text and "</html>" in answer.text, kind
        assert 'aria-current="page"' in answer.text, kind
        told_so += f"&#39;web-1&#39; {SENTENCE}" in answer.text
    assert told_so > len(nonsense.KINDS) / 2


@pytest.mark.parametrize("path", WHOLE)
def test_what_is_the_nodes_alone_is_a_sentence(web: Web, node: Rogue, path: str) -> None:
    vera, told_so = web.visitor("vera"), 0
    for kind, answer in answers(node, lambda: vera.get(path)):
        assert answer.status_code in (200, 502), (kind, answer.text)
        assert nonsense.MARKUP not in answer.text or answer.is_json, kind
        if answer.is_json:
            json.loads(answer.text, parse_constant=pytest.fail)
        told_so += answer.status_code == 502
        assert answer.status_code == 200 or "web-1" in answer.text or "does not describe" in answer.text, kind
    assert told_so > len(nonsense.KINDS) / 3


@pytest.mark.parametrize(("path", "sent"), DEEDS)
def test_a_deed_is_answered_with_a_sentence(web: Web, node: Rogue, path: str, sent: dict[str, Any]) -> None:
    ada = web.visitor("ada")
    for kind, answer in answers(node, lambda: post(ada, path, sent)):
        assert answer.status_code in (200, 422, 502), (kind, answer.text)
        assert answer.is_json and (answer.status_code == 200 or "web-1" in answer.json["detail"]), (kind, answer.text)


@pytest.mark.parametrize("status", [204, 302, 401, 403, 418, 500, 599])
def test_an_error_of_a_node_is_never_one_of_ours(web: Web, node: Rogue, status: int) -> None:
    vera, node.status = web.visitor("vera"), status
    for kind in ("markup", "all values objects"):
        answering(node, kind)
        for path in PARTS:
            answer = vera.get(path)
            assert answer.status_code == 200 and nonsense.MARKUP not in answer.text, (kind, path, answer.text)
        for path in WHOLE:
            assert vera.get(path).status_code not in (401, 500), (kind, path)


def test_server_information_with_one_value_that_is_another_is_shown_or_told(web: Web) -> None:
    shown, template = 0, web.app.jinja_env.get_template("information.html")
    with web.app.test_request_context("/"):
        for info in nonsense.mutations(nonsense.INFO):
            try:
                found = told.answer("web-1", "GET", "/api/v1/info", None, json.dumps(info).encode())
            except NotOurs:
                continue
            text = template.render(sections=sections(found))
            assert nonsense.MARKUP not in text
            shown += 1
    assert shown > 100
