"""Tickets from a real config server: who gets one, of what it speaks, and what becomes of its key."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.registry_server import RegistryServer
from nodeward.core import tickets
from nodeward.core.client import Client
from nodeward.core.errors import BadInput, NotAllowed, NotFound
from nodeward.core.tickets import Ticket

FLEET = """
- {kind: node, name: web-1, address: 192.0.2.1}
- {kind: node, name: switch, address: 192.0.2.2, agent: false, checked_from: web-1}
- {kind: user, name: otto, role: operator}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    with RegistryServer(tmp_path_factory.mktemp("configserver")) as started:
        started.apply(FLEET)
        started.admin.put("/api/v1/users/otto/password", {"password": "correct horse"})
        yield started


def asked(client: Client, node: str = "web-1", may: str = "GET") -> Ticket:
    """Ask for a ticket; return what it says, as that node reads it."""
    answer = client.post("/api/v1/tickets", {"node": node, "may": may})
    keys = {each["id"]: each["key"] for each in client.get("/api/v1/ticket-keys")["keys"]}
    ticket = tickets.read(answer["ticket"], keys.get)
    assert answer["seconds"] * 1_000_000 == ticket.until - ticket.issued
    return ticket


def web(server: RegistryServer) -> Client:
    return server.client(server.secret("web", "token"))


def made(server: RegistryServer, name: str, role: str) -> Client:
    return server.client(server.admin.post("/api/v1/tokens", {"name": name, "role": role})["token"])


def test_who_asks_gets_a_ticket_of_their_own_name_and_role(server: RegistryServer) -> None:
    for role in ("viewer", "operator", "admin"):
        ticket = asked(made(server, f"job-{role}", role))
        assert (ticket.name, ticket.role, ticket.node, ticket.at) == (f"job-{role}", role, None, "web-1")
        assert (ticket.via, ticket.address) == (None, "127.0.0.1")


def test_to_look_it_lasts_five_minutes_and_for_a_deed_one(server: RegistryServer) -> None:
    assert asked(server.admin).until - asked(server.admin).issued <= 300_000_000
    deed = asked(server.admin, may="POST /api/v1/runs")
    assert (deed.may, deed.until - deed.issued) == ("POST /api/v1/runs", 60_000_000)


def test_a_node_gets_one_for_another_node_that_says_which_it_is(server: RegistryServer) -> None:
    server.apply("{kind: node, name: asking, address: 192.0.2.3}")
    ticket = asked(server.client(server.enrol("asking")["token"]))
    assert (ticket.name, ticket.role, ticket.node, ticket.at) == ("asking", "node", "asking", "web-1")


def test_web_gets_one_for_who_is_logged_in_and_as_far_as_they_reach(server: RegistryServer) -> None:
    for role in ("viewer", "operator"):
        ticket = asked(web(server).acting_for("otto", role, "192.0.2.77"))
        assert (ticket.name, ticket.role, ticket.via, ticket.address) == ("otto", role, "web", "192.0.2.77")
    with pytest.raises(NotAllowed, match="User 'otto' is not admin"):
        asked(web(server).acting_for("otto", "admin"))
    assert asked(web(server).acting_for("live", "viewer")).role == "viewer"
    with pytest.raises(NotAllowed, match="User 'nobody' is not operator"):
        asked(web(server).acting_for("nobody", "operator"))


def test_who_is_disabled_gets_none_by_way_of_a_page_that_is_still_open(server: RegistryServer) -> None:
    server.apply("{kind: user, name: olga, role: operator, disabled: true}")
    for role in ("viewer", "operator"):
        with pytest.raises(NotAllowed, match="User 'olga' is disabled"):
            asked(web(server).acting_for("olga", role))


def test_no_server_gets_one_for_itself_nor_any_but_web_for_people(server: RegistryServer) -> None:
    for role in ("web", "monitor", "logserver"):
        with pytest.raises(NotAllowed, match="only for a person who is logged in"):
            asked(server.client(server.secret(role, "token")))
    for role in ("monitor", "logserver", "configserver"):
        with pytest.raises(NotAllowed, match="gets no tickets for people"):
            asked(server.client(server.secret(role, "token")).acting_for("otto", "viewer"))


@pytest.mark.parametrize("node", ["switch", "nobody", ""])
def test_there_is_none_for_what_has_no_node_server(server: RegistryServer, node: str) -> None:
    with pytest.raises(NotFound, match="with a node server"):
        asked(server.admin, node)


def test_who_may_not_do_a_deed_gets_no_ticket_for_it(server: RegistryServer) -> None:
    viewer, operator = made(server, "job-looks", "viewer"), made(server, "job-acts", "operator")
    for client, may, words in (
        (viewer, "POST /api/v1/runs", "'job-looks' is viewer; this needs operator or node."),
        (viewer, "POST /api/v1/checks/disk/root/run", "'job-looks' is viewer; this needs operator."),
        (operator, "POST /api/v1/programs/tailflog/restart", "'job-acts' is operator; this needs admin."),
        (operator, "POST /api/v1/what/is/not/known", "'job-acts' is operator; this needs admin."),
        (server.admin, "PUT /api/v1/bundle", "is admin; this needs service."),
        (
            web(server).acting_for("live", "viewer"),
            "POST /api/v1/runs",
            "'live' is viewer; this needs operator or node.",
        ),
    ):
        with pytest.raises(NotAllowed) as told:
            asked(client, may=may)
        assert words in told.value.detail
    for may in ("POST /api/v1/runs", "POST /api/v1/runs/r1/stop", "POST /api/v1/checks/-/run"):
        assert asked(operator, may=may).may == may


@pytest.mark.parametrize("may", ["", "POST", "get", "PATCH /x", "POST x", "POST /x\n", "POST /" + "x" * 501])
def test_what_it_is_for_is_looking_or_one_deed(server: RegistryServer, may: str) -> None:
    with pytest.raises(BadInput):
        asked(server.admin, may=may)


def test_the_key_stays_over_a_restart_and_another_is_made_when_it_is_gone(tmp_path: Path) -> None:
    with RegistryServer(tmp_path) as server:
        path = server.var / "secrets" / "configserver" / "ticket-key"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        first = keys(server)
        assert path.read_text() not in str(first)
        assert server.stop() == 0
        server.start()
        assert keys(server) == first
        path.unlink()
        assert server.stop() == 0
        server.start()
        assert keys(server) != first and asked(server.admin, "here").at == "here"
        assert server.stop() == 0
        path.write_text("nonsense")
        code, said = server.fail()
        assert code == 78 and "ticket-key holds none" in said and "Traceback" not in said


def keys(server: RegistryServer) -> Any:
    return server.admin.get("/api/v1/ticket-keys")["keys"]
