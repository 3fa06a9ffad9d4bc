"""What is told of deeds: what a ticket proves, what a server says, and what a node only says."""

import pytest

from nodeward.configserver import audit
from nodeward.configserver.forms import Deed as Told
from nodeward.core.auth import NODE, SERVICE, Principal
from nodeward.core.deeds import OUTSIDE
from nodeward.core.tickets import SECOND, Ticket
from nodeward.store.base_registry import Deed

NOW = 1_800_000_000 * SECOND
NODE_1, WEB = Principal("web-1", NODE, "web-1"), Principal("web", SERVICE)
HERE = "192.0.2.1"


def told(**more):
    return Told.model_validate({"who": "eve", "action": "run", "what": "look on web-1: run r1", **more})


def ticket(**more):
    said = {
        "id": "1", "name": "ada", "role": "operator", "via": "web", "address": "192.0.2.77", "at": "web-1",
        "may": "POST /api/v1/runs", "issued": NOW - 30 * SECOND, "until": NOW + 30 * SECOND,
    }  # fmt: skip
    return Ticket.model_validate(said | more)


def noted(body, teller=NODE_1, proof=None):
    return audit.deed(body, teller, HERE, proof, NOW)


def test_who_did_it_is_who_the_ticket_says_whatever_the_node_says():
    row = noted(told(via="nobody", address="203.0.113.1", at=NOW - SECOND), proof=ticket())
    assert row == Deed(NOW - SECOND, "ada", "web", "192.0.2.77", "run", "look on web-1: run r1")


def test_without_a_server_in_between_it_was_done_by_way_of_the_node():
    row = noted(told(), proof=ticket(via=None, address="192.0.2.78"))
    assert (row.via, row.address) == ("web-1", "192.0.2.78")


def test_another_node_that_asked_is_named_as_one():
    assert noted(told(), proof=ticket(name="web-2", role="node", node="web-2", via=None)).who == "node web-2"


@pytest.mark.parametrize(
    ("action", "may"),
    [
        ("run", "POST /api/v1/runs"), ("stop run", "POST /api/v1/runs/r1/stop"), ("answer run", "POST /api/v1/runs/r1/answers"),
        ("restart program", "POST /api/v1/programs/tailflog/restart"), ("stop program", "POST /api/v1/programs/a:b/stop"),
        ("start program", "POST /api/v1/programs/tailflog/start"),
    ],
)  # fmt: skip
def test_a_ticket_proves_the_deed_that_it_was_for(action, may):
    assert noted(told(action=action), proof=ticket(may=may)).who == "ada"


@pytest.mark.parametrize(
    ("action", "more"),
    [
        ("run", {"may": "GET"}), ("run", {"may": "POST /api/v1/runs/r1/stop"}), ("stop run", {"may": "POST /api/v1/runs"}),
        ("run", {"at": "web-2"}), ("restart program", {"may": "POST /api/v1/programs/tailflog/stop"}),
        ("stop run", {"may": "POST /api/v1/runs/a/b/stop"}), ("run", {"may": "PUT /api/v1/runs"}),
        ("stop run", {"may": "POST /api/v1/programs/tailflog/stop"}), ("run", {"may": "DELETE /api/v1/runs"}),
    ],
)  # fmt: skip
def test_a_ticket_for_something_else_proves_nothing(action, more):
    row = noted(told(action=action), proof=ticket(**more))
    assert (row.who, row.via, row.address) == ("node web-1 reports: eve", "web-1", HERE)


def test_what_a_node_says_without_proof_is_what_it_says():
    row = noted(told(via="web", address="203.0.113.1"))
    assert row == Deed(NOW, "node web-1 reports: eve", "web-1", HERE, "run", "look on web-1: run r1")
    assert noted(told(who=OUTSIDE, action="stop program")).who == OUTSIDE  # names nobody


def test_a_node_tells_of_itself_whatever_it_names():
    for what in ("look on web-2: run r1", "look on web-10", "look"):
        assert noted(told(what=what)).what == f"{what} (told by web-1)"
        assert noted(told(what=what), proof=ticket()).what == f"{what} (told by web-1)"


@pytest.mark.parametrize(("seconds", "kept"), [(-599, -599), (0, 0), (300, 0)])
def test_a_time_that_is_near_is_believed_and_none_is_in_the_future(seconds, kept):
    assert noted(told(at=NOW + seconds * SECOND)).at == NOW + kept * SECOND


@pytest.mark.parametrize("at", [7, NOW - 601 * SECOND, NOW + 601 * SECOND])
def test_a_time_far_from_now_is_only_said(at):
    row = noted(told(at=at))
    assert row.at == NOW and row.what.startswith("look on web-1: run r1 (at ") and row.what.endswith(", it says)")


@pytest.mark.parametrize(
    ("at", "kept"), [(7, 0), (NOW - 3600 * SECOND, 0), (NOW - 45 * SECOND, -45), (None, 0), (NOW + SECOND, 0)]
)
def test_a_proven_deed_was_done_in_the_time_of_its_ticket(at, kept):
    assert noted(told(at=at), proof=ticket()).at == NOW + kept * SECOND


def test_one_told_long_after_was_done_before_its_ticket_ended():
    old = ticket(issued=NOW - 9000 * SECOND, until=NOW - 8940 * SECOND)
    assert noted(told(at=NOW - 8950 * SECOND), proof=old).at == NOW - 8950 * SECOND
    assert noted(told(), proof=old).at == NOW - 8940 * SECOND


def test_a_node_that_hands_in_a_ticket_long_after_its_end_is_seen_to():
    for ended, said in ((601, " (told at 2027-01-15T08:00:00.000000Z)"), (599, "")):
        old = ticket(issued=NOW - (ended + 60) * SECOND, until=NOW - ended * SECOND)
        assert noted(told(), proof=old).what == f"look on web-1: run r1{said}"
        assert noted(told(), WEB, old).what == "look on web-1: run r1"


def test_the_appliance_s_own_servers_are_believed():
    row = noted(told(who="bob", via="web", at=7, action="stop program", what="tailflog on x"), WEB)
    assert row == Deed(7, "bob", "web", None, "stop program", "tailflog on x")
    assert noted(told(who="bob"), WEB) == Deed(NOW, "bob", "web", HERE, "run", "look on web-1: run r1")
    assert (
        noted(told(who="bob"), WEB, ticket()).who == "ada"
    )  # a deed of a node's door, which another program under it ships
