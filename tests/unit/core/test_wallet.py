"""Tickets on the caller's side: kept while they last, asked for in time, one for each node, person and deed."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, Response, jsonify, request

from fakes import nonsense
from fakes.serving import Serving
from nodeward.core.client import Client
from nodeward.core.errors import BadInput, NotAllowed, NotFound, Unavailable
from nodeward.core.wallet import NodeClient, Wallet, node_client


class Office(Serving):
    """A config server that gives numbered tickets, and a node server that says which ticket it was shown."""

    def __init__(self) -> None:
        self.given: list[tuple[str, str | None, str]] = []
        self.shown: list[str] = []
        self.status = 201
        self.refused: set[str] = set()
        app = Flask("office")

        @app.post("/api/v1/tickets")
        def tickets() -> tuple[Response, int]:
            body = request.get_json()
            if self.status != 201:
                return _problem(self.status)
            self.given.append((body["node"], request.headers.get("Nodeward-User"), body["may"]))
            return jsonify(ticket=f"nwt-{len(self.given)}", node=body["node"], seconds=100), 201

        @app.route("/api/v1/runs", methods=["GET", "POST", "PUT"])
        @app.route("/api/v1/info")
        def asked() -> Any:
            shown = request.headers["Authorization"].removeprefix("Bearer ")
            self.shown.append(shown)
            return _problem(401) if shown in self.refused else jsonify({**nonsense.RUN, "ticket": shown, "items": []})

        super().__init__(app)


def _problem(status: int) -> tuple[Response, int]:
    return jsonify(type="about:blank", title="", status=status, detail="No.", instance="/", errors=[]), status


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def office() -> Iterator[Office]:
    with Office() as started:
        yield started


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def wallet(office: Office, time: Time) -> Wallet:
    return Wallet(Client(office.url, "secret-token"), time)


def node(office: Office, wallet: Wallet, name: str = "web-1") -> NodeClient:
    return NodeClient(name, office.url, wallet)


def test_one_ticket_serves_until_shortly_before_its_end(office: Office, wallet: Wallet, time: Time) -> None:
    client = node(office, wallet)
    assert {client.get(path)["ticket"] for path in ("/api/v1/info", "/api/v1/runs")} == {"nwt-1"}
    time.now = 79
    assert client.get("/api/v1/info")["ticket"] == "nwt-1"
    time.now = 81
    assert client.get("/api/v1/info")["ticket"] == "nwt-2"
    assert "secret-token" not in str(office.shown)


def test_each_person_node_and_deed_has_a_ticket_of_its_own(office: Office, wallet: Wallet) -> None:
    one, two = node(office, wallet), node(office, wallet, "web-2")
    ada = one.acting_for("ada", "viewer", "192.0.2.7")
    for client in (one, two, ada, one.acting_for("ada", "admin"), ada):
        client.get("/api/v1/info")
    one.post("/api/v1/runs", {})
    assert office.given == [
        ("web-1", None, "GET"), ("web-2", None, "GET"), ("web-1", "ada; role=viewer; from=192.0.2.7", "GET"),
        ("web-1", "ada; role=admin", "GET"), ("web-1", None, "POST /api/v1/runs"),
    ]  # fmt: skip


def test_while_the_config_server_is_away_a_ticket_goes_on_to_its_end(
    office: Office, wallet: Wallet, time: Time
) -> None:
    client = node(office, wallet)
    client.get("/api/v1/info")
    office.status = 503
    for time.now in (85, 99):
        assert client.get("/api/v1/info")["ticket"] == "nwt-1"
    time.now = 101
    with pytest.raises(
        Unavailable, match=r"cannot be asked now: it wants a ticket.*only the config server gives\. No\."
    ):
        client.get("/api/v1/info")
    office.status = 201
    assert client.get("/api/v1/info")["ticket"] == "nwt-2"


def test_no_ticket_is_used_when_the_config_server_refuses_another(office: Office, wallet: Wallet, time: Time) -> None:
    client = node(office, wallet)
    client.get("/api/v1/info")
    office.status, time.now = 403, 85
    with pytest.raises(NotAllowed):
        client.get("/api/v1/info")


def test_a_ticket_that_the_node_does_not_take_is_replaced_once(office: Office, wallet: Wallet) -> None:
    client = node(office, wallet)
    client.get("/api/v1/info")
    office.refused = {"nwt-1"}
    assert client.get("/api/v1/info")["ticket"] == "nwt-2"
    office.refused = {f"nwt-{number}" for number in range(10)}
    with pytest.raises(Unavailable, match=r"'web-1' does not take the ticket that it is shown: No\."):
        client.get("/api/v1/info")
    assert office.shown[-2:] == ["nwt-2", "nwt-3"]


def test_a_body_that_is_sent_already_is_not_sent_again(office: Office, wallet: Wallet) -> None:
    office.refused = {"nwt-1"}
    with pytest.raises(Unavailable, match="does not take the ticket"):
        node(office, wallet).request("PUT", "/api/v1/runs", body=iter([b"x"]))
    assert office.shown == ["nwt-1"]


def test_no_ticket_is_asked_for_a_name_that_leads_elsewhere(office: Office, wallet: Wallet) -> None:
    with pytest.raises(BadInput, match="leads elsewhere"):
        node(office, wallet).post("/api/v1/runs/../x")
    assert office.given == []


def test_a_node_without_a_server_or_an_address_is_told(wallet: Wallet) -> None:
    with pytest.raises(NotFound, match=r"'switch' has no node server .*checked from 'web-1'"):
        node_client({"name": "switch", "agent": False, "checked_from": "web-1"}, wallet)
    with pytest.raises(Unavailable, match="'web-9' has no address"):
        node_client({"name": "web-9"}, wallet)
    assert node_client({"name": "web-9", "address": "2001:db8::7"}, wallet).url.startswith("http://[2001:db8::7]:")
