"""The servers explain themselves, and what they say is true: every example is run, every call's door is tried."""

import base64
import itertools
import json
import re
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest

from nodeward.core import clock
from nodeward.core.auth import PEOPLE, Principal
from nodeward.core.openapi import examples
from nodeward.core.tickets import SECOND, Signer, Ticket, needed_for, new_key
from support.api_examples import CONVERSATIONS, World, calls, content, differences
from support.appliance_in_view import PASSWORD, ROLES
from support.ports import free_port
from support.until import until

pytestmark = pytest.mark.timeout(300)


def concrete(path: str) -> str:
    """Return a path with something in place of each parameter."""
    return re.sub(r"\{[^}]*\}", "1", path)


OPEN = {"GET /healthz", "GET /readyz", "POST /api/v1/enrol"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A whole appliance, of which every server is asked."""
    with World(tmp_path_factory.mktemp("world"), free_port) as made:
        yield made


@pytest.fixture(scope="module")
def strangers(world: World) -> dict[str, str]:
    """Tokens that open nothing: none, made up, revoked."""
    revoked = world.token("gone", "admin")
    until(
        lambda: (
            world.ask("configserver", "DELETE", f"/api/v1/tokens/{revoked.split('_')[1]}", world.admin).status == 200
        )
    )
    for role in ROLES:
        until(lambda role=role: world.ask(role, "GET", "/api/v1/whoami", revoked).status == 401)
    return {"none": "", "made up": f"nw_{'0' * 12}_{'a' * 43}", "no token at all": "nonsense", "revoked": revoked}


@pytest.fixture(scope="module")
def forged(world: World) -> dict[str, str]:
    """What opens no node server: tickets that do not hold there, or tokens, whosever they are."""
    now, good = clock.now(), world.signed()
    assert world.ask("nodeserver", "GET", "/api/v1/info", good).status == 200
    head, key, said, signature = good.split(".")
    raised = json.dumps({**json.loads(base64.urlsafe_b64decode(said + "===")), "name": "eve"}).encode()
    altered = base64.urlsafe_b64encode(raised).rstrip(b"=").decode()
    other = Signer(new_key())
    return {
        "ended": world.signed(issued=now - 400 * SECOND, until=now - 100 * SECOND),
        "not yet": world.signed(issued=now + 300 * SECOND, until=now + 600 * SECOND),
        "another node's": world.signed(at="web-9"),
        "altered": f"{head}.{key}.{altered}.{signature}",
        "another's signature": f"{head}.{key}.{said}.{other.sign(TICKET).rpartition('.')[2]}",
        "another's key": other.sign(TICKET.model_copy(update={"issued": now, "until": now + 300 * SECOND})),
        "an administrator's token": world.admin,
        "a server's token": world.service,
        "the node's own token": world.secret("nodeserver"),
        "a token beside a ticket": f"{world.admin}, Bearer {good}",
    }


TICKET = Ticket(id="x", name="ada", role="admin", at="local", may="GET", issued=0, until=0)


def test_a_node_server_takes_no_token_and_no_ticket_that_does_not_hold(world: World, forged: dict[str, str]) -> None:
    asked = [(call, needs) for call, needs in calls(world, "nodeserver") if needs]
    assert len(asked) > 15
    for (call, _), (what, shown) in itertools.product(asked, forged.items()):
        method, _, path = call.partition(" ")
        answer = world.ask("nodeserver", method, concrete(path), shown, b"{}", "application/json")
        assert answer.status == 401, (call, what, answer.data)
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_ticket_is_for_what_it_says_and_for_nothing_else(world: World) -> None:
    looking = world.signed()
    for call, needs in calls(world, "nodeserver"):
        method, _, path = call.partition(" ")
        if needs and method != "GET":
            for shown in (looking, world.signed(may=f"{method} /api/v1/elsewhere")):
                answer = world.ask("nodeserver", method, concrete(path), shown, b"{}", "application/json")
                assert answer.status == 403 and "The ticket is for" in answer.json()["detail"], (call, answer.data)


@pytest.fixture(scope="module")
def another(world: World) -> str:
    """The token of a node that none of these servers is on."""
    token = world.token("web-8", "node", "web-8")
    for role in set(ROLES) - {"nodeserver"}:
        until(lambda role=role: world.ask(role, "GET", "/api/v1/whoami", token).status == 200)
    return token


@pytest.mark.parametrize("role", ROLES)
def test_without_a_token_that_is_in_force_nothing_is_answered(
    world: World, strangers: dict[str, str], role: str
) -> None:
    asked = list(calls(world, role))
    assert len(asked) > 6
    for (call, needs), (what, token) in itertools.product(asked, strangers.items()):
        method, _, path = call.partition(" ")
        answer = world.ask(role, method, concrete(path), token, b"{}", "application/json")
        assert needs is not None, f"{call} says nobody may call it: it lacks @needs(...)"
        assert (needs == []) == (call in OPEN), f"{call} needs no token"
        if needs:
            assert answer.status == 401, (role, call, what, answer.data)
            assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("role", ROLES)
def test_a_node_s_token_opens_what_is_for_nodes_and_nothing_else(world: World, another: str, role: str) -> None:
    for call, needs in calls(world, role):
        if needs and "node" not in needs:
            method, _, path = call.partition(" ")
            may = "GET" if method == "GET" else f"{method} {concrete(path)}"
            signed = world.signed(name="web-8", role="node", node="web-8", may=may)
            shown = signed if role == "nodeserver" else another
            answer = world.ask(role, method, concrete(path), shown, b"{}", "application/json")
            assert answer.status == 403, (role, call, answer.data)


def test_a_ticket_for_a_deed_is_for_who_may_do_it_there(world: World, another: str) -> None:
    """What the node server would answer 403 to, the config server gives no ticket for, and says so in the same words."""
    askers = {role: world.token(f"asks-{role}", role) for role in PEOPLE} | {"node": another}
    tried = 0
    for call, needs in calls(world, "nodeserver"):
        method, _, path = call.partition(" ")
        if method == "GET" or not needs:
            continue
        may = f"{method} {concrete(path)}"
        assert needed_for(may) == tuple(needs), f"{call}: core.tickets says another thing than the route"
        for role, token in askers.items():
            body = json.dumps({"node": "local", "may": may}).encode()
            answer = world.ask("configserver", "POST", "/api/v1/tickets", token, body, "application/json")
            assert answer.status == (201 if Principal("", role).reaches(tuple(needs)) else 403), (
                call,
                role,
                answer.data,
            )
            if answer.status == 403:
                assert f" is {role}; this needs {' or '.join(needs)}." in answer.json()["detail"]
            tried += answer.status == 403
    assert tried > 20


@pytest.mark.parametrize(
    ("role", "method", "path", "body"),
    [
        ("configserver", "GET", "/api/v1/nodes/local/bundle", None),
        ("logserver", "POST", "/api/v1/batches", {"source": "x", "node": "local", "lines": ["forged"]}),
        (
            "monitor",
            "POST",
            "/api/v1/results",
            {"reporter": "local", "generation": "g", "first": 0, "sent": 1, "results": []},
        ),
    ],
)
def test_a_node_speaks_for_itself_alone_and_the_audit_list_tells(
    world: World, another: str, role: str, method: str, path: str, body: object
) -> None:
    data = None if body is None else json.dumps(body).encode()
    answer = world.ask(role, method, path, another, data, "application/json")
    assert answer.status == 403 and "cannot speak for node 'local'" in answer.json()["detail"]

    def told() -> bool:
        rows = world.ask("configserver", "GET", "/api/v1/audit?limit=1000", world.admin).json()["items"]
        return any(row["action"] == "refuse" and row["who"] == "web-8" and f"{role}: " in row["what"] for row in rows)

    until(told)


@pytest.mark.parametrize("role", ROLES)
def test_every_call_has_an_example_and_it_is_what_comes(world: World, role: str) -> None:
    known = examples(role)
    for call, needs in calls(world, role):
        example = known.get(call)
        if example is None:
            assert call.partition(" ")[2].startswith(CONVERSATIONS), f"{call} has no example in {role}'s examples.json"
            continue
        answer = world.run(role, call, example, needs)
        assert answer.status == example["status"], (role, call, answer.data)
        assert answer.headers["Content-Type"].partition(";")[0] == example["answer_type"], (role, call)
        assert differences(example["answer"], content(answer)) == [], (role, call, answer.data)


@pytest.mark.parametrize("role", ROLES)
def test_who_is_logged_in_reads_what_every_server_answers(world: World, role: str) -> None:
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with browser.open(f"{world.appliance.url}/login") as page:
        csrf = re.search(r'name="csrf" value="([^"]+)"', page.read().decode())
    assert csrf is not None
    form = urllib.parse.urlencode({"name": "vera", "password": PASSWORD, "csrf": csrf[1]}).encode()
    browser.open(f"{world.appliance.url}/login", form).close()
    with browser.open(f"{world.appliance.url}/api-docs/{role}") as page:
        text = page.read().decode()
    assert text.count("<section") == len(list(calls(world, role))) and 'aria-current="page"' in text
    with browser.open(f"{world.appliance.url}/api-docs/{role}/openapi.json") as page:
        assert json.loads(page.read())["paths"].keys() == world.document(role)["paths"].keys()


@pytest.mark.parametrize("role", ROLES)
def test_the_page_shows_every_call_with_its_example_and_loads_nothing_from_elsewhere(world: World, role: str) -> None:
    page = world.ask(role, "GET", "/api/v1/docs", "")
    text = page.data.decode()
    assert page.status == 200 and "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert text.count("<section") == len(list(calls(world, role)))
    assert "http" not in text.split("<main>")[0] and "<script" not in text and "style=" not in text
    assert "The files of a node" in text if role == "configserver" else "Is the process alive?" in text
    style = world.ask(role, "GET", "/api/v1/docs.css", "")
    assert style.status == 200 and style.headers["Content-Type"].startswith("text/css")
