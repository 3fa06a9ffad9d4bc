"""What a check that was run again found is told."""

from typing import Any

import pytest

from nodeward.core.errors import Unavailable
from nodeward.web import backends
from nodeward.web.pages.recheck import Outcome, sentence, worst
from support.web import Web, post

FOUND = {"load": ("CRITICAL", "too much"), "ssh": ("OK", "answers"), None: ("UP", "")}


class NodeServer:
    """Runs the checks of web-1 and switch; that of web-2 is away."""

    def __init__(self, name: str) -> None:
        self.name = name

    def post(self, path: str, query: dict[str, str], timeout: float) -> dict[str, Any]:
        if self.name == "web-2":
            raise Unavailable("web-2's node server does not answer.")
        service = path.split("/")[-2]
        state, output = FOUND[None if service == "-" else service]
        return {"node": query["node"], "service": service, "state": state, "output": output}


@pytest.fixture(autouse=True)
def node_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "node", NodeServer)


def check(web: Web, *targets: tuple[str, str | None]) -> Any:
    wanted = [{"node": node, "service": service} for node, service in targets]
    return post(web.visitor("otto"), "/do/recheck", {"targets": wanted})


def test_the_result_is_told_with_its_state_and_output(web: Web) -> None:
    assert check(web, ("web-1", "load")).json == {
        "message": "web-1 · load is CRITICAL: too much.", "state": "CRITICAL", "failed": 0,
    }  # fmt: skip
    assert check(web, ("web-1", None)).json["message"] == "web-1 is UP."


def test_of_several_the_problems_are_named_and_what_could_not_be_checked(web: Web) -> None:
    answer = check(web, ("web-1", "load"), ("web-1", "ssh"), ("web-2", "ssh")).json
    assert answer["message"] == (
        "Checked: 1 CRITICAL, 1 OK. web-1 · load is CRITICAL: too much. Not checked: web-2's node server does not answer."
    )
    assert (answer["state"], answer["failed"]) == ("CRITICAL", 1)


def test_where_nothing_could_be_checked_that_is_an_error(web: Web) -> None:
    answer = check(web, ("web-2", "ssh"))
    assert answer.status_code == 422
    assert answer.json["detail"] == "Not checked: web-2's node server does not answer."


def test_very_many_are_counted_and_the_first_ones_named() -> None:
    bad = [Outcome(f"web-{number} · ssh", "CRITICAL", "refused") for number in range(8)]
    told = sentence([*bad, Outcome("db · ssh", "OK", "")])
    assert told.startswith("Checked: 8 CRITICAL, 1 OK. web-0 · ssh is CRITICAL: refused; ")
    assert told.endswith("; 3 more.") and "web-5" not in told
    assert worst([]) == ""
