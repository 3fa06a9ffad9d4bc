import contextlib
import socket

import pytest
from pydantic import BaseModel

from fakes.config import FakeConfig
from nodeward.core import http
from nodeward.core.auth import Credential
from nodeward.core.client import Client
from nodeward.core.errors import (
    BadInput,
    Conflict,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Problem,
    TooMany,
    Unavailable,
)
from nodeward.core.server import MAX_HEADER, Server


class Credentials:
    def __init__(self, fake):
        self._fake = fake

    def find(self, identifier):
        return next((Credential(**row) for row in self._fake.credentials if row["id"] == identifier), None)


class Sum(http.Body):
    a: int
    b: int


class Status(BaseModel):
    status: int


class Page(http.Query):
    limit: int = 10


def _app(credentials, ready):
    app = http.create("monitor", "monitor", credentials, ready)

    @app.post("/api/v1/sums", summary="Add", security=http.SECURITY)
    @http.needs("operator")
    def add(body: Sum):
        return {"sum": body.a + body.b, "by": http.principal().name}

    @app.get("/api/v1/pages", summary="Page", security=http.SECURITY)
    @http.needs("viewer")
    def pages(query: Page):
        return {"limit": query.limit}

    @app.get("/api/v1/forgotten", summary="A route whose needs were forgotten")
    def forgotten():
        return {}

    @app.get("/api/v1/fails/<int:status>", summary="Fail")
    @http.needs()
    def fails(path: Status):
        status = path.status
        kinds = {409: Conflict, 429: TooMany, 503: Unavailable, 404: NotFound}
        if status == 500:
            raise ZeroDivisionError
        raise kinds[status]("This is so.", [Problem("a.b", "is odd")])

    return app


@pytest.fixture
def served():
    missing = []
    with FakeConfig() as fake:
        server = Server(_app(Credentials(fake), lambda: missing), "127.0.0.1", 0)
        server.start()
        yield fake, f"http://127.0.0.1:{server.port}", missing
        server.stop()


def test_a_token_with_the_role_gets_its_answer(served):
    fake, url, _ = served
    assert Client(url, fake.tokens["operator"]).post("/api/v1/sums", {"a": 1, "b": 2}) == {"sum": 3, "by": "operator"}


def test_whoever_asks_is_told_who_that_is(served):
    fake, url, _ = served
    node = Client(url, fake.node_token("web-1")).get("/api/v1/whoami")
    assert (node["role"], node["node"]) == ("node", "web-1")
    assert Client(url, fake.tokens["viewer"]).get("/api/v1/whoami")["node"] is None


def test_without_a_token_nothing_but_health_answers(served):
    fake, url, _ = served
    with pytest.raises(NotAuthenticated, match="Bearer"):
        Client(url).get("/api/v1/pages")
    assert Client(url).get("/healthz") == {"status": "alive"}
    with pytest.raises(NotAllowed, match="viewer; this needs operator"):
        Client(url, fake.tokens["viewer"]).post("/api/v1/sums", {"a": 1, "b": 2})


def test_a_route_whose_needs_were_forgotten_is_closed(served):
    fake, url, _ = served
    with pytest.raises(NotAllowed):
        Client(url, fake.tokens["admin"]).get("/api/v1/forgotten")
    with pytest.raises(NotAuthenticated):
        Client(url).get("/api/v1/forgotten")


def test_every_fault_of_a_body_is_told_at_once(served):
    fake, url, _ = served
    with pytest.raises(BadInput) as told:
        Client(url, fake.tokens["admin"]).post("/api/v1/sums", {"a": "x", "c": 1})
    assert {problem.path for problem in told.value.problems} == {"a", "b", "c"}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_object_is_a_clear_error(served, body):
    fake, url, _ = served
    client = Client(url, fake.tokens["admin"])
    with pytest.raises(BadInput):
        client.request("POST", "/api/v1/sums", body=body, headers={"Content-Type": "application/json"})


def test_an_unknown_query_parameter_is_an_error(served):
    fake, url, _ = served
    with pytest.raises(BadInput) as told:
        Client(url, fake.tokens["admin"]).get("/api/v1/pages", {"limits": 3})
    assert [problem.path for problem in told.value.problems] == ["limits"]


@pytest.mark.parametrize(("status", "kind"), [(409, Conflict), (429, TooMany), (503, Unavailable), (404, NotFound)])
def test_an_error_crosses_the_wire_as_itself(served, status, kind):
    _, url, _ = served
    with pytest.raises(kind, match="This is so") as told:
        Client(url).get(f"/api/v1/fails/{status}")
    assert told.value.problems == [Problem("a.b", "is odd")]


def test_a_fault_of_ours_shows_no_traceback(served, caplog):
    _, url, _ = served
    with pytest.raises(Unavailable, match="ZeroDivisionError") as told:
        Client(url).get("/api/v1/fails/500")
    assert "Traceback" not in str(told.value)
    assert "Traceback" in caplog.text


def test_no_such_route_is_a_problem_too(served):
    _, url, _ = served
    with pytest.raises(NotFound):
        Client(url).get("/nowhere")


def test_not_ready_says_what_is_missing(served):
    _, url, missing = served
    assert Client(url).get("/readyz")["status"] == "ready"
    missing.append("the registry is not open yet")
    with pytest.raises(Unavailable):
        Client(url).get("/readyz")


def test_metrics_count_answers(served):
    fake, url, _ = served
    client = Client(url, fake.tokens["viewer"])
    client.get("/api/v1/pages")
    text = client.request("GET", "/metrics").data.decode()
    assert 'nodeward_http_answers_total{route="/api/v1/pages",status="200"} 1.0' in text


def test_a_server_that_is_away_is_named():
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1 did not answer GET /x: Connection refused"):
        Client("http://127.0.0.1:1").get("/x")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/objects/node/../../tokens", "/api/v1/objects/node/.", "/x/..\\y",
        "/api/v1/runs/one?\n/recording", "/api/v1/runs/one#/recording", "/api/v1/runs/one\0", "/x?y",
    ],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_refused_before_it_is_asked(path):
    with pytest.raises(BadInput, match="leads elsewhere"):
        Client("http://127.0.0.1:1").get(path)


def test_a_query_that_is_no_text_is_refused_before_it_is_asked():
    with pytest.raises(BadInput, match="not UTF-8"):
        Client("http://127.0.0.1:1").get("/x", {"group": b"\xff".decode(errors="surrogateescape")})


def test_what_is_no_json_is_told():
    from flask import Flask

    app = Flask("plain")
    app.get("/x")(lambda: "hello")
    server = Server(app, "127.0.0.1", 0)
    server.start()
    with pytest.raises(Unavailable, match="not JSON"):
        Client(f"http://127.0.0.1:{server.port}").get("/x")
    server.stop()


@pytest.mark.parametrize("start", [b"GET /", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: "])
def test_a_header_without_end_is_cut_off(served, start):
    with socket.create_connection(("127.0.0.1", int(served[1].rsplit(":", 1)[1])), timeout=60) as caller:
        with contextlib.suppress(OSError):  # it may have cut the line before the last bytes
            caller.sendall(start + b"a" * (MAX_HEADER + 1) + b"\r\n")
        assert caller.recv(100).split(b" ")[1] in (b"413", b"414")


def test_a_taken_port_is_one_clear_sentence(served):
    from nodeward.core.errors import ConfigError

    _, url, _ = served
    with pytest.raises(ConfigError, match="Is something else listening"):
        Server(lambda *_: [], "127.0.0.1", int(url.rsplit(":", 1)[1]))
