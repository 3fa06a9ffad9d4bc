"""The config server as supervisor starts it: a process of its own, its state on disk, asked over HTTP."""

import itertools
import json
import re
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from fakes.registry_server import RegistryServer
from nodeward.core import clock
from nodeward.core.client import Client
from nodeward.core.errors import (
    BadInput,
    Conflict,
    NodewardError,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    NotSeen,
    TooMany,
)
from support import audit
from support.until import until

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """One process for all tests that do not stop it; each works on objects with names of its own."""
    started = RegistryServer(tmp_path_factory.mktemp("configserver"))
    started.start()
    yield started
    assert started.stop() == 0


@pytest.fixture
def node(server: RegistryServer) -> str:
    """A node that no other test knows."""
    name = f"node-{next(_numbers)}"
    server.apply(f"{{kind: node, name: {name}, address: 192.0.2.7, groups: [{name}-group], labels: {{dc: {name}}}}}")
    return name


def ask(server: RegistryServer, method: str, path: str, **more: Any) -> urllib3.BaseHTTPResponse:
    token = more.pop("token", server.secret("cli", "token"))
    headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **more.pop("headers", {})}
    return urllib3.request(method, server.url + path, headers=headers, retries=False, timeout=60, **more)


def head(server: RegistryServer) -> int:
    return int(server.admin.get("/api/v1/revisions", {"limit": 1})["items"][0]["revision"])


def refusal(client: Client) -> str:
    """Return why a client's token is not taken, or nothing."""
    try:
        client.get("/api/v1/servers")
    except NotAuthenticated as error:
        return str(error)
    return ""


def faults(error: NodewardError) -> dict[str, str]:
    return {fault.path: fault.message for fault in error.problems}


# --- starting ---


def test_the_first_start_makes_the_secrets_and_tells_the_password_once(tmp_path: Path) -> None:
    with RegistryServer(tmp_path, NODEWARD_IMAGE="configserver") as server:
        password = server.secret("admin-password")
        assert server.screen.count(password) == 1
        assert password not in (server.var / "log" / "configserver.log").read_text()
        for role in ("configserver", "logserver", "monitor", "web", "cli"):
            path = server.var / "secrets" / role / "token"
            assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE((server.var / "secrets" / "node" / "enrol").stat().st_mode) == 0o600
        assert [each["name"] for each in server.admin.get("/api/v1/find")["items"]] == ["here"]
        seen = _state(server)
        assert server.stop() == 0
        server.start()
        assert _state(server) == seen
        assert password not in server.screen


def test_a_token_that_is_lost_is_made_anew_and_the_old_one_revoked(tmp_path: Path) -> None:
    with RegistryServer(tmp_path) as server:
        old = server.secret("monitor", "token")
        (server.var / "secrets" / "monitor" / "token").unlink()
        assert server.stop() == 0
        server.start()
        assert server.service.get("/api/v1/monitoring")["nodes"]
        assert "The token 'monitor' was revoked" in refusal(server.client(old))


def _state(server: RegistryServer) -> dict[str, Any]:
    secrets = server.var / "secrets"
    return {
        "secrets": {str(path.relative_to(secrets)): path.read_text() for path in secrets.rglob("*") if path.is_file()},
        "head": head(server),
        "tokens": server.admin.get("/api/v1/tokens")["items"],
    }


def test_a_first_fleet_with_faults_is_told_with_each_of_them(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("kind: node\nname: a b\n---\nkind: check\nname: c\nplugin: nothing\nassign: {nodes: [a]}\n")
    code, said = RegistryServer(tmp_path, str(fleet)).fail()
    assert code == 78 and "Traceback" not in said
    assert "fleet.yaml:1: node a b: name" in said and "no built-in plugin 'nothing'" in said
    code, said = RegistryServer(tmp_path, str(tmp_path / "none.yaml")).fail()
    assert code == 78 and "NODEWARD_CONFIGSERVER_FLEET" in said


def test_the_first_fleet_takes_any_path_and_any_name(tmp_path: Path) -> None:
    with RegistryServer(tmp_path / 'a: "b" #{c}', NODEWARD_NODE="12") as server:
        assert [each["name"] for each in server.admin.get("/api/v1/find")["items"]] == ["12"]
        assert server.admin.get("/api/v1/objects/log/supervisor")["paths"] == [f"{server.var}/log/supervisord.log"]


def test_a_second_one_on_the_same_directory_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    with RegistryServer(tmp_path) as server:
        before = _state(server)
        second = RegistryServer(tmp_path)
        code, said = second.fail()
        assert code == 78 and "Another config server runs on" in said
        assert _state(server) == before


def test_a_password_that_is_given_is_the_administrators(tmp_path: Path) -> None:
    code, said = RegistryServer(tmp_path, NODEWARD_ADMIN_PASSWORD="short").fail()
    assert code == 78 and "NODEWARD_ADMIN_PASSWORD" in said and "at least 10" in said
    with RegistryServer(tmp_path, NODEWARD_ADMIN_PASSWORD="long enough by far") as server:
        accepted = server.service.post("/api/v1/login", {"name": "admin", "password": "long enough by far"})
        assert (accepted["name"], accepted["role"]) == ("admin", "admin")
        assert not (server.var / "secrets" / "admin-password").exists()


def test_a_kill_during_applies_leaves_whole_revisions(tmp_path: Path) -> None:
    with RegistryServer(tmp_path) as server:
        acknowledged: list[int] = []
        writer = threading.Thread(target=_change_until_it_ends, args=(server, acknowledged))
        writer.start()
        until(lambda: len(acknowledged) > 8, 60)
        server.kill()
        writer.join(60)
        server.start()
        groups = server.admin.get("/api/v1/objects/group")["items"]
        assert len(groups) == 20 and len({each["description"] for each in groups}) == 1
        numbers = [each["revision"] for each in server.admin.get("/api/v1/revisions", {"limit": 1000})["items"]]
        assert numbers == list(range(numbers[0], 0, -1))
        assert acknowledged[-1] <= numbers[0] <= acknowledged[-1] + 1
        for number in numbers[:3]:
            assert len(server.admin.get(f"/api/v1/revisions/{number}")["changes"]) == 20


def _change_until_it_ends(server: RegistryServer, acknowledged: list[int]) -> None:
    for turn in itertools.count(1):
        groups = [f"{{kind: group, name: g{each}, description: turn {turn}}}" for each in range(20)]
        try:
            acknowledged.append(server.apply("\n---\n".join(groups))["revision"])
        except NodewardError:
            return


# --- enrolment and the nodes' credentials ---


def test_a_node_enrols_once_and_again_only_if_it_never_used_its_token(server: RegistryServer, node: str) -> None:
    lost = server.enrol(node)["token"]
    token = server.enrol(node)["token"]
    with pytest.raises(NotAuthenticated, match="revoked"):
        server.client(lost).get("/api/v1/servers")
    assert server.client(token).get("/api/v1/servers")["configserver"] == server.url
    with pytest.raises(Conflict, match=f"'{node}' is enrolled already.*nodeward token revoke ([0-9a-f]{{12}})") as told:
        server.enrol(node)
    (identifier,) = re.findall(r"revoke ([0-9a-f]{12})", str(told.value))
    server.admin.delete(f"/api/v1/tokens/{identifier}")
    assert server.client(server.enrol(node)["token"]).get("/api/v1/servers")


def test_what_to_do_about_a_nodes_credential_is_said_where_one_looks(server: RegistryServer, node: str) -> None:
    def said() -> Any:
        (row,) = (row for row in server.admin.get("/api/v1/delivery", {"limit": 1000})["items"] if row["node"] == node)
        assert server.admin.get(f"/api/v1/nodes/{node}/delivery")["credential"] == row["credential"]
        return row["credential"]

    assert f"Node '{node}' has not enrolled yet" in said()
    token = server.enrol(node)["token"]
    assert said() is None and server.client(token).get("/api/v1/servers")
    about = server.admin.get(f"/api/v1/objects/node/{node}")
    server.admin.delete(f"/api/v1/objects/node/{node}")
    server.admin.put(f"/api/v1/objects/node/{node}", about)
    with pytest.raises(NotAuthenticated, match="revoked"):
        server.client(token).get("/api/v1/servers")
    assert f"The credential of node '{node}' ended at" in said() and "enrols anew with its key" in said()
    assert "ended at" in server.nodeward("delivery").stdout
    assert server.client(server.enrol(node)["token"]).get("/api/v1/servers") and said() is None


def test_enrolling_needs_the_key_and_a_node_that_is_there(server: RegistryServer, node: str) -> None:
    for name, key in ((node, "wrong"), (node, "ключ"), ("nobody", "")):
        with pytest.raises(NotAuthenticated, match="enrolment key"):
            Client(server.url).post("/api/v1/enrol", {"key": key, "node": name})
    with pytest.raises(NotFound, match="There is no node 'nobody' yet"):
        server.enrol("nobody")
    with pytest.raises(BadInput):
        server.enrol(node, address="-oProxyCommand=x")


def test_guessing_the_enrolment_key_is_slowed(tmp_path: Path) -> None:
    with RegistryServer(tmp_path) as server:
        until(lambda: _right_key_is_refused_after_five_wrong_ones(server))
        assert server.secret("admin-password") not in server.screen  # supervisor keeps that in a file
        assert str(server.var / "secrets" / "admin-password") in server.screen


def _right_key_is_refused_after_five_wrong_ones(server: RegistryServer) -> bool:
    """The first wait is one second: who comes later, on a machine that stood still, is let in and starts anew."""
    for _ in range(5):
        with pytest.raises(NotAuthenticated):
            Client(server.url, timeout=60.0).post("/api/v1/enrol", {"key": "guess", "node": "here"})
    try:
        server.enrol("here")
    except TooMany as error:
        return str(error).startswith("Too many wrong enrolment keys")
    return False


def test_a_node_without_an_address_is_where_it_enrols_from(server: RegistryServer) -> None:
    server.apply("{kind: node, name: wanderer}\n---\n{kind: node, name: settled}")
    server.enrol("wanderer")
    server.enrol("settled", address="10.1.2.3")
    found = {each["name"]: each["address"] for each in server.admin.get("/api/v1/find")["items"]}
    assert found["wanderer"] == "127.0.0.1" and found["settled"] == "10.1.2.3"


def test_many_enrolments_at_once_leave_one_token_in_force(server: RegistryServer, node: str) -> None:
    tokens: list[str] = []
    threads = [threading.Thread(target=lambda: tokens.append(server.enrol(node)["token"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    rows = [each for each in server.admin.get("/api/v1/tokens")["items"] if each["node"] == node]
    assert len(tokens) == len(rows) == 8
    assert len([each for each in rows if each["revoked"] is None]) == 1


def test_a_nodes_credential_reaches_no_further_than_the_node(server: RegistryServer, node: str) -> None:
    client = server.client(server.enrol(node)["token"])
    assert client.get(f"/api/v1/nodes/{node}/bundle")["node"] == node
    assert client.get("/api/v1/find", {"name": node})["items"]
    assert client.get("/api/v1/credentials")
    with pytest.raises(NotAllowed, match=f"'{node}' cannot speak for node 'here'"):
        client.get("/api/v1/nodes/here/bundle")
    for path in ("objects/node", "revisions", "monitoring", "tokens", "audit", "inventory"):
        with pytest.raises(NotAllowed):
            client.get(f"/api/v1/{path}")
    with pytest.raises(NotAllowed):
        client.post("/api/v1/apply", [])


def test_a_node_that_is_taken_away_loses_its_credential(server: RegistryServer, node: str) -> None:
    client = server.client(server.enrol(node)["token"])
    assert client.get("/api/v1/servers")
    server.admin.delete(f"/api/v1/objects/node/{node}")
    with pytest.raises(NotAuthenticated, match="revoked"):
        client.get("/api/v1/servers")
    server.apply(f"{{kind: node, name: {node}}}")
    assert server.enrol(node)["token"]


# --- what nodes and the monitor get ---


def test_a_bundle_keeps_its_revision_and_tag_when_something_else_changes(server: RegistryServer, node: str) -> None:
    path = f"/api/v1/nodes/{node}/bundle"
    bundle, tag = server.service.get_if_changed(path, None)
    assert set(bundle["files"]) == {"nodeserver.json", "tailflog.json"}
    assert server.service.get_if_changed(path, tag) is None
    server.apply(f"{{kind: check, name: of-{node}, plugin: load, assign: {{nodes: [here]}}}}")
    assert server.service.get_if_changed(path, tag) is None
    server.apply(f"{{kind: check, name: of-{node}, plugin: load, assign: {{nodes: ['{node}']}}}}")
    changed, new = server.service.get_if_changed(path, tag)
    assert new != tag and changed["revision"] == head(server)
    (own, check) = json.loads(changed["files"]["nodeserver.json"])["checks"]
    assert own["service"] is None and check["service"] == f"of-{node}"
    server.apply(f"{{kind: group, name: unrelated-{node}}}")
    assert server.service.get(path)["revision"] == changed["revision"] < head(server)


def test_a_bundles_revision_outlives_a_restart(tmp_path: Path) -> None:
    with RegistryServer(tmp_path) as server:
        before, tag = server.service.get_if_changed("/api/v1/nodes/here/bundle", None)
        server.apply("{kind: group, name: unrelated}")
        assert server.stop() == 0
        server.start()
        assert server.service.get_if_changed("/api/v1/nodes/here/bundle", tag) is None
        assert server.service.get("/api/v1/nodes/here/bundle") == before


def test_the_monitor_gets_every_node_service_and_contact(server: RegistryServer, node: str) -> None:
    server.apply(
        f"""
        - {{kind: contact, name: c-{node}, email: a@example.org}}
        - {{kind: group, name: {node}-group, contacts: c-{node}}}
        - {{kind: check, name: m-{node}, plugin: load, assign: {{groups: ['{node}-group']}}, interval: 2m}}
        """
    )
    document, tag = server.service.get_if_changed("/api/v1/monitoring", None)
    assert server.service.get_if_changed("/api/v1/monitoring", tag) is None
    assert document["revision"] == head(server)
    (service,) = [each for each in document["services"] if each["node"] == node]
    assert (service["service"], service["interval"], service["retry"]) == (f"m-{node}", 120.0, 15.0)
    assert service["contacts"] == [f"c-{node}"]
    (watched,) = [each for each in document["nodes"] if each["name"] == node]
    assert watched["contacts"] == [f"c-{node}"] and watched["address"] == "192.0.2.7"


def test_nodes_are_found_by_name_address_group_and_label(server: RegistryServer, node: str) -> None:
    def found(**query: Any) -> list[str]:
        return [each["name"] for each in server.admin.get("/api/v1/find", query)["items"]]

    assert found(name=node) == found(group=f"{node}-group") == found(label=f"dc={node}") == [node]
    assert node in found(address="192.0.2.7") and node in found(name="node-*")
    assert found(name=node, label=[f"dc={node}", "dc=other"]) == found(name="none") == []
    with pytest.raises(BadInput, match="not valid") as told:
        found(label="dc")
    assert faults(told.value) == {"label": "'dc' is not KEY=VALUE"}


def test_the_inventory_is_ansibles(server: RegistryServer, node: str) -> None:
    inventory = server.admin.get("/api/v1/inventory")
    assert inventory["_meta"]["hostvars"][node]["ansible_host"] == "192.0.2.7"
    assert inventory[f"{node}-group".replace("-", "_")] == {"hosts": [node]}


# --- changing objects ---


def test_every_fault_is_told_at_once_and_nothing_is_changed(server: RegistryServer) -> None:
    before = head(server)
    text = """
kind: node
name: fault-1
adress: 10.0.0.1
---
kind: check
name: fault-2
plugin: disk
args: {warnign: 80, critical: lots}
assign: {expression: "'web' in gruops"}
---
kind: contact
name: fault-3
---
kind: check
name: fault-4
plugin: tcp
assign: {nodes: ['*']}
contacts: [nobody]
"""
    with pytest.raises(BadInput, match="faults; nothing was changed") as told:
        server.apply(text, file="f.yaml")
    found = faults(told.value)
    assert set(found) == {
        "f.yaml:2: node fault-1: adress", "f.yaml:6: check fault-2: args.warnign", "f.yaml:6: check fault-2: args.critical",
        "f.yaml:6: check fault-2: assign.expression", "f.yaml:12: contact fault-3", "f.yaml:15: check fault-4: args.port",
        "f.yaml:15: check fault-4: contacts",
    }  # fmt: skip
    assert "there is no contact 'nobody'" in found["f.yaml:15: check fault-4: contacts"]
    assert head(server) == before


def test_a_dry_run_tells_and_changes_nothing(server: RegistryServer, node: str) -> None:
    before = head(server)
    outcome = server.apply(f"{{kind: node, name: {node}, address: 192.0.2.8}}", dry_run="true")
    (change,) = outcome["changes"]
    assert (change["action"], change["name"], change["after"]["address"]) == ("update", node, "192.0.2.8")
    assert head(server) == before == outcome["revision"]


def test_what_is_the_same_already_makes_no_revision(server: RegistryServer) -> None:
    text = "{kind: check, name: same, plugin: load, interval: 1m, args: {warning: 3}, assign: {labels: {rack: 7}}}"
    outcome = server.apply(text)
    assert len(outcome["changes"]) == 1
    again = server.apply(text)
    assert again["changes"] == [] and again["revision"] == outcome["revision"] == head(server)


def test_whoever_saw_an_older_revision_is_refused(server: RegistryServer, node: str) -> None:
    path, body = f"/api/v1/objects/node/{node}", {"address": "192.0.2.9"}
    seen = ask(server, "GET", path).headers["ETag"]
    assert ask(server, "PUT", path, json=body, headers={"If-Match": seen}).status == 200
    late = ask(server, "PUT", path, json={"address": "192.0.2.10"}, headers={"If-Match": seen})
    assert late.status == 409 and "look again" in late.json()["detail"]
    assert ask(server, "DELETE", path, headers={"If-Match": seen}).status == 409
    assert server.admin.get(path)["address"] == "192.0.2.9"
    for odd in ("x", "1e400", '"1e400"', "Infinity", '"', "[1]", "null", "-1", "٣", "W/", '"1", "2"'):
        answer = ask(server, "PUT", path, json=body, headers={"If-Match": odd.encode().decode("latin-1")})
        assert answer.status == 422, (odd, answer.data)
    assert ask(server, "PUT", path, json=body, headers={"If-Match": "*"}).status == 200


def test_a_restore_makes_it_what_it_was(server: RegistryServer, node: str) -> None:
    before, then = head(server), server.admin.get(f"/api/v1/objects/node/{node}")
    server.apply(f"{{kind: node, name: {node}, address: 192.0.2.99}}\n---\n{{kind: group, name: gone-{node}}}")
    outcome = server.admin.post(f"/api/v1/revisions/{before}/restore")
    assert outcome["revision"] == before + 2
    assert {(each["action"], each["name"]) for each in outcome["changes"]} == {
        ("update", node), ("delete", f"gone-{node}"),
    }  # fmt: skip
    assert server.admin.get(f"/api/v1/objects/node/{node}") == then
    revision = server.admin.get(f"/api/v1/revisions/{before + 2}")
    assert (revision["who"], revision["why"]) == ("cli", f"restore revision {before}")
    with pytest.raises(NotFound):
        server.admin.post("/api/v1/revisions/999999/restore")


def test_what_others_name_is_not_deleted(server: RegistryServer, node: str) -> None:
    server.apply(
        f"{{kind: contact, name: n-{node}, email: a@example.org}}\n---\n{{kind: node, name: {node}, contacts: n-{node}}}"
    )
    with pytest.raises(BadInput, match="1 fault") as told:
        server.admin.delete(f"/api/v1/objects/contact/n-{node}")
    assert faults(told.value) == {f"node {node}: contacts": f"there is no contact 'n-{node}'"}
    with pytest.raises(NotFound):
        server.admin.delete("/api/v1/objects/node/nobody")


def test_lists_come_in_pages(server: RegistryServer) -> None:
    server.apply("\n---\n".join(f"{{kind: group, name: page-{each}, description: Seite}}" for each in range(5)))
    names, cursor = [], None
    while True:
        answer = server.admin.get("/api/v1/objects/group", {"q": "seite", "limit": 2, "cursor": cursor})
        names += [each["name"] for each in answer["items"]]
        cursor = answer["next"]
        if cursor is None:
            break
    assert names == [f"page-{each}" for each in range(5)]


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe", b"", b"a: [", b"- 1\n- x", b"null", b"kind: node", b"kind: [node]", b"kind: node\nname: [a]\n",
        b'{"kind": "node", "name": "\\ud800"}', b'{"kind": "node", "name": "x", "description": "\\ud800"}',
        b"kind: log\nname: x\nassign: {nodes: x}\npaths: /a\nfields: {a: .nan}", b"[" * 200, b"a: &a [*a]",
        b"kind: log\nname: x\nassign: {nodes: x}\npaths: /a\nfields: {a: 2026-01-01}",
        b"kind: log\nname: x\nassign: {nodes: x}\npaths: /a\nfields: {a: !!binary /w==}",
        b"kind: log\nname: x\nassign: {nodes: x}\npaths: /a\nfields: {1: a}",
        b"kind: log\nname: x\nassign: {nodes: x}\npaths: /a\nfields: {a: 123456789012345678901234567890}",
        b"!!python/object/apply:os.system [id]", b"? [a]\n: b", b"? {a: b}\n: c", b"\x00", b"kind: node\nname: x\n\x07",
        b"kind: check\nname: x\nassign: {expression: \"'a' in 5\"}\ncommand: \"\xee\x80\x807\xee\x80\x81\"",
    ],
)  # fmt: skip
def test_odd_documents_are_refused_with_a_sentence(server: RegistryServer, body: bytes) -> None:
    answer = ask(server, "POST", "/api/v1/apply", body=body)
    assert answer.status == 422, answer.data
    assert answer.json()["detail"].endswith(".") and "Something went wrong" not in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "revisions/99999999999999999999999", None),
        ("GET", "revisions?cursor=99999999999999999999999", None),
        ("GET", "audit?cursor=99999999999999999999999", None),
        ("GET", "objects/node/%00", None),
        ("GET", "objects/nothing", None),
        ("GET", "objects/node?label=x", None),
        ("PUT", "objects/node/x", b"[]"),
        ("PUT", "objects/node/x", b'{"kind": "user"}'),
        ("PUT", "objects/node/x", b'{"address": "\\ud800"}'),
        ("PUT", "objects/log/x", b'{"paths": "/a", "assign": {"nodes": "x"}, "fields": {"a": NaN}}'),
        ("POST", "tokens", b'{"name": "x", "role": "viewer", "expires": "99999999999999d"}'),
        ("POST", "tokens", b'{"name": "x", "role": "viewer", "expires": "2001-01-01"}'),
        ("POST", "tokens", b'{"name": "x", "role": "viewer", "node": "here"}'),
        ("POST", "tokens", b'{"name": "x", "role": "node", "node": "nobody"}'),
        ("POST", "tokens", b'{"name": "\\ud800", "role": "viewer"}'),
        ("POST", "enrol", b'{"key": "\\ud800", "node": "here"}'),
        ("PUT", "users/admin/password", b'{"password": "\\ud800\\ud800\\ud800\\ud800"}'),
        ("PUT", "users/nobody/password", b'{"password": "long enough by far"}'),
        ("PUT", "users/admin/password", b'{"password": "short"}'),
        ("POST", "apply?why=%ff", b"{kind: group, name: why}"),
        ("POST", "apply?nothing=1", b"{kind: group, name: why}"),
    ],
)
def test_odd_requests_are_refused_with_a_sentence(
    server: RegistryServer, method: str, path: str, body: bytes | None
) -> None:
    answer = ask(server, method, f"/api/v1/{path}", body=body, headers={"Content-Type": "application/json"})
    assert answer.status in (200, 401, 404, 422) and (answer.status != 200 or "%ff" in path), answer.data
    assert "Something went wrong" not in answer.data.decode()


# --- people and tokens ---


def test_logging_in_takes_the_right_password_and_is_slowed_after_wrong_ones(server: RegistryServer) -> None:
    server.admin.put("/api/v1/objects/user/ada", {"role": "operator"})
    server.admin.put("/api/v1/users/ada/password", {"password": "the right one, long"})
    right = {"name": "ada", "password": "the right one, long", "address": "192.0.2.50"}
    accepted = server.service.post("/api/v1/login", right)
    assert (accepted["name"], accepted["role"]) == ("ada", "operator")
    assert server.service.get("/api/v1/users/ada") == accepted
    for name in ("ada", "nobody"):
        wrong = {"name": name, "password": "wrong", "address": "192.0.2.51"}
        for _ in range(5):
            with pytest.raises(NotAuthenticated, match="The name or the password is wrong"):
                server.service.post("/api/v1/login", wrong)
        until(lambda wrong=wrong: _must_wait(server, wrong))  # each further one makes the wait longer
    assert server.service.post("/api/v1/login", right)
    with pytest.raises(NotAllowed):
        server.admin.post("/api/v1/login", right)
    server.admin.delete("/api/v1/objects/user/ada")
    server.admin.put("/api/v1/objects/user/ada", {"role": "operator"})
    with pytest.raises(NotAuthenticated):
        server.service.post("/api/v1/login", {**right, "address": "192.0.2.52"})


def _must_wait(server: RegistryServer, wrong: dict[str, str]) -> bool:
    try:
        server.service.post("/api/v1/login", wrong)
    except TooMany as error:
        return "Try again in" in str(error)
    except NotAuthenticated:
        return False  # the wait was over when it came
    raise AssertionError("a wrong password was taken")


def test_users_are_the_administrators_business(server: RegistryServer) -> None:
    operator = server.client(server.admin.post("/api/v1/tokens", {"name": "op", "role": "operator"})["token"])
    assert operator.put("/api/v1/objects/group/by-op", {})["changes"]
    for act in (
        lambda: operator.put("/api/v1/objects/user/eve", {"role": "admin"}),
        lambda: operator.post("/api/v1/apply", [{"kind": "user", "name": "eve", "role": "admin"}]),
        lambda: operator.delete("/api/v1/objects/user/admin"),
    ):
        with pytest.raises(NotAllowed, match="changing users needs admin"):
            act()
    before = head(server)
    server.admin.put("/api/v1/objects/user/eve", {"role": "viewer"})
    with pytest.raises(NotAllowed, match="changing users needs admin"):
        operator.post(f"/api/v1/revisions/{before}/restore")


def test_a_token_expires_and_is_revoked(server: RegistryServer) -> None:
    made = server.admin.post("/api/v1/tokens", {"name": "brief", "role": "viewer", "expires": "400ms"})
    client = server.client(made["token"])
    assert "expired at 20" in until(lambda: refusal(client))
    made = server.admin.post("/api/v1/tokens", {"name": "lasting", "role": "viewer", "expires": "90d"})
    (row,) = [each for each in server.admin.get("/api/v1/tokens")["items"] if each["name"] == "lasting"]
    assert set(row) == {"id", "name", "role", "node", "created", "expires", "revoked"}
    assert made["token"] not in json.dumps(row)
    revoked = server.admin.delete(f"/api/v1/tokens/{row['id']}")
    assert revoked["revoked"]
    with pytest.raises(NotAuthenticated, match="The token 'lasting' was revoked"):
        server.client(made["token"]).get("/api/v1/servers")
    with pytest.raises(NotFound):
        server.admin.delete(f"/api/v1/tokens/{row['id']}")


def test_the_servers_get_the_credentials_as_hashes_and_only_when_they_changed(server: RegistryServer) -> None:
    rows, tag = server.service.get_if_changed("/api/v1/credentials", None)
    assert {"id", "name", "role", "hash", "node", "created", "expires", "revoked"} == set(rows[0])
    assert server.secret("cli", "token") not in json.dumps(rows)
    assert server.service.get_if_changed("/api/v1/credentials", tag) is None
    server.admin.post("/api/v1/tokens", {"name": "news", "role": "viewer"})
    assert server.service.get_if_changed("/api/v1/credentials", tag) is not None


def test_the_audit_list_says_who_did_what_in_whose_name(server: RegistryServer, node: str) -> None:
    web = server.client(server.secret("web", "token")).acting_for("ada", "operator")
    web.put(f"/api/v1/objects/node/{node}", {**web.get(f"/api/v1/objects/node/{node}"), "address": "192.0.2.77"})
    row = audit.newest(server.admin)
    assert (row["who"], row["via"], row["action"], row["address"]) == ("ada", "web", "configure", "127.0.0.1")
    assert row["what"] == f"revision {head(server)}: update node {node}"
    revision = server.admin.get(f"/api/v1/revisions/{head(server)}")
    assert revision["who"] == "ada"


@pytest.mark.parametrize("body", [{}, {"address": "192.0.2.8"}, {"labels": {}, "groups": []}])
def test_putting_less_than_is_there_needs_to_have_seen_it(
    server: RegistryServer, node: str, body: dict[str, Any]
) -> None:
    path = f"/api/v1/objects/node/{node}"
    present = server.admin.get(path)
    with pytest.raises(NotSeen, match=r"would lose .*; nothing was changed") as refused:
        server.admin.put(path, body)
    assert set(faults(refused.value)) == present.keys() - body.keys() - {"kind", "name"}
    assert server.admin.get(path) == present
    tag = ask(server, "GET", path).headers["ETag"]
    answer = ask(server, "PUT", path, json=body, headers={"If-Match": tag})
    assert answer.status == 200, answer.data
    assert server.admin.get(path) == {"kind": "node", "name": node, **body}
    assert ask(server, "PUT", path, json={}, headers={"If-Match": tag}).status == 409 if body else True


def test_putting_what_is_no_whole_object_tells_every_key_that_is_missing(server: RegistryServer) -> None:
    with pytest.raises(BadInput) as refused:
        server.admin.put("/api/v1/objects/log/partial", {"format": "sylog"})
    assert {fault.rsplit(" ", 1)[-1] for fault in faults(refused.value)} == {"assign", "paths", "format"}


def test_a_user_who_is_disabled_is_let_in_no_more_until_enabled(tmp_path: Path) -> None:
    with RegistryServer(tmp_path) as server:
        web = server.service
        right, wrong = {"name": "eve", "password": "long enough by far"}, {"name": "eve", "password": "quite another"}
        server.nodeward("user", "add", "eve", "--role", "operator", "--email", "e@b", given="long enough by far\n")
        mark = web.post("/api/v1/login", right)["mark"]
        assert "no longer" in server.nodeward("user", "disable", "eve").stdout
        with pytest.raises(NotAuthenticated, match="'eve' is disabled"):
            web.post("/api/v1/login", right)
        with pytest.raises(NotAuthenticated, match="The name or the password is wrong"):
            web.post("/api/v1/login", wrong)
        with pytest.raises(NotFound):
            web.get("/api/v1/users/eve")
        server.nodeward("user", "enable", "eve")
        assert web.post("/api/v1/login", right) == {"name": "eve", "role": "operator", "mark": mark}
        assert server.admin.get("/api/v1/objects/user/eve")["email"] == "e@b"
        refused = server.nodeward("user", "disable", "admin")
        assert refused.returncode != 0 and "'admin' is the last administrator" in refused.stderr


def test_the_last_administrator_stays(tmp_path: Path) -> None:
    with RegistryServer(tmp_path) as server:
        admin = "/api/v1/objects/user/admin"
        before = head(server)
        for act in (
            lambda: server.admin.delete(admin),
            lambda: server.admin.put(admin, {"role": "operator"}),
            lambda: server.apply("{kind: user, name: admin, role: viewer}"),
            lambda: server.apply("{kind: user, name: admin}", dry_run="true"),
            lambda: server.apply("[{kind: user, name: admin, role: viewer}, {kind: user, name: eve, role: admin}]"),
        ):
            with pytest.raises(Conflict, match="'admin' is the last administrator who can log in"):
                act()
        ended = server.nodeward("user", "delete", "admin")
        assert ended.returncode != 0 and "last administrator" in ended.stderr and "Traceback" not in ended.stderr
        assert server.nodeward("delete", "user", "admin").returncode != 0
        assert server.nodeward("user", "add", "admin", "--role", "viewer", given="long enough by far\n").returncode != 0
        assert head(server) == before

        assert (
            server.nodeward(
                "user", "add", "eve", "--role", "admin", "--email", "e@b", given="long enough by far\n"
            ).returncode
            == 0
        )
        assert server.admin.put(admin, {"role": "viewer"})["changes"]
        with pytest.raises(Conflict, match="'eve' is the last administrator"):
            server.admin.delete("/api/v1/objects/user/eve")
        assert server.nodeward("user", "add", "eve", "--role", "admin", given="long enough by far\n").returncode == 0
        assert server.admin.get("/api/v1/objects/user/eve")["email"] == "e@b"


def audited(server: RegistryServer, *words: str) -> list[dict[str, Any]]:
    """Return the refusals in the audit list that have all the words."""
    rows = server.admin.get("/api/v1/audit", {"limit": 1000})["items"]
    return [row for row in rows if row["action"] == "refuse" and all(word in json.dumps(row) for word in words)]


def test_a_node_takes_a_new_credential_and_the_old_one_ends_when_the_new_one_is_used(
    server: RegistryServer, node: str
) -> None:
    old = server.client(server.enrol(node)["token"])
    first = old.post("/api/v1/tokens/rotate")
    assert (first["node"], first["role"]) == (node, "node")
    second = old.post("/api/v1/tokens/rotate")  # the first answer was lost on its way
    assert old.get("/api/v1/servers")
    with pytest.raises(NotAuthenticated, match="was revoked"):
        server.client(first["token"]).get("/api/v1/servers")
    forged = second["token"][:-43] + "a" * 43
    with pytest.raises(NotAuthenticated):
        server.client(forged).get("/api/v1/servers")
    assert old.get("/api/v1/servers")  # knowing the id alone ends nothing
    assert server.client(second["token"]).get("/api/v1/servers")
    with pytest.raises(NotAuthenticated, match="was revoked"):
        old.get("/api/v1/servers")
    (row, *_) = [each for each in audit.deeds(server.admin) if each["action"] == "rotate"]
    assert row["who"] == node and second["id"] in row["what"]


def test_a_rotation_survives_a_restart_and_lasts_as_long_as_before(tmp_path: Path) -> None:
    with RegistryServer(tmp_path) as server:
        made = server.admin.post("/api/v1/tokens", {"name": "script", "role": "viewer", "expires": "30d"})
        (row,) = [each for each in server.admin.get("/api/v1/tokens")["items"] if each["name"] == "script"]
        token = server.nodeward("token", "rotate", row["id"]).stdout.strip()
        server.kill()
        server.start()
        assert server.client(made["token"]).get("/api/v1/servers")
        assert server.client(token).get("/api/v1/servers")
        assert "was revoked" in refusal(server.client(made["token"]))
        rows = {each["id"]: each for each in server.admin.get("/api/v1/tokens")["items"] if each["name"] == "script"}
        assert len(rows) == 2
        fresh = rows[token.split("_")[1]]
        lasting = [
            clock.parse_rfc3339(fresh["expires"]) - clock.parse_rfc3339(fresh["created"]) for fresh in rows.values()
        ]
        assert abs(lasting[0] - lasting[1]) < 5_000_000 and not fresh["revoked"]


def test_the_appliances_own_tokens_are_not_rotated_by_whoever_holds_one(server: RegistryServer) -> None:
    for client in (server.service, server.client(server.secret("web", "token")).acting_for("ada", "viewer")):
        with pytest.raises(NotAllowed):
            client.post("/api/v1/tokens/rotate")
    with pytest.raises(NotFound):
        server.admin.post("/api/v1/tokens/000000000000/rotate")


def test_who_is_refused_stands_in_the_audit_list(server: RegistryServer, node: str) -> None:
    other = f"{node}-other"
    server.apply(f"{{kind: node, name: {other}}}")
    tokens = {"unknown token": "nw_000000000000_" + "a" * 43, "no token": "", other: server.enrol(other)["token"]}
    for token in tokens.values():
        assert ask(server, "GET", f"/api/v1/nodes/{node}/bundle", token=token).status in (401, 403)
    (row,) = until(lambda: audited(server, other, "cannot speak for"))
    assert (row["who"], row["address"]) == (other, "127.0.0.1")
    assert row["what"].startswith(f"configserver: GET /api/v1/nodes/{node}/bundle: ")
    assert until(lambda: audited(server, '"who": "no token"')) and until(
        lambda: audited(server, '"who": "unknown token"')
    )


def test_another_server_tells_whom_it_refused(server: RegistryServer, node: str) -> None:
    told = {"who": "mallory", "address": "192.0.2.66", "what": "nodeserver: GET /api/v1/info: no"}
    server.client(server.enrol(node)["token"]).post("/api/v1/refusals", told)
    (row,) = until(lambda: audited(server, "192.0.2.66"))
    assert (row["who"], row["via"], row["what"]) == ("mallory", node, told["what"])


def _begun_by_hand(server: RegistryServer) -> int | None:
    """The number of a rollout; none while another test's is not over."""
    try:
        return int(server.admin.post("/api/v1/rollouts", {"by_hand": True})["id"])
    except Conflict:
        return None


def test_what_a_rollout_changed_in_files_is_not_for_viewers_for_the_secrets_of_checks_stand_there(
    server: RegistryServer,
) -> None:
    number = until(lambda: _begun_by_hand(server))
    told = [{"node": "here", "state": "staged", "diff": "+DBPASS: hunter2"}, {"ended": True}]
    server.admin.post(f"/api/v1/rollouts/{number}/events", {"events": told})
    viewer = server.service.acting_for("vic", "viewer")
    for path in (f"/api/v1/rollouts/{number}/events", "/api/v1/rollouts/events"):
        for asking, secret in ((server.admin, True), (viewer, False)):
            items = asking.get(path, {"after": 0})["items"]
            assert any(row.get("state") == "staged" for row in items)
            assert ("hunter2" in str(items)) is secret


# --- every route ---

OPEN = {"/healthz", "/readyz", "/api/v1/enrol"}


def test_a_node_gets_a_runbook_and_what_it_tells_of_people_is_what_it_says(server: RegistryServer, node: str) -> None:
    server.apply(f"{{kind: runbook, name: {node}-look, steps: [{{run: [uptime]}}]}}")
    asking = server.client(server.enrol(node)["token"])
    answer = asking.get(f"/api/v1/runbooks/{node}-look")
    assert answer["runbook"]["steps"] == [{"run": ["uptime"]}]
    told = {"who": "ada", "action": "run", "what": f"{node}-look on {node}: run r1"}
    asking.post("/api/v1/audit", told)
    newest = audit.newest(server.admin)
    assert (newest["who"], newest["via"], newest["action"]) == (f"node {node} reports: ada", node, "run")
    forged = {**told, "at": 7, "via": "web", "address": "192.0.2.9"}
    asking.post("/api/v1/audit", forged)  # a node says much: what is not proven is as it says, and no older than now
    newest = audit.newest(server.admin)
    assert (newest["who"], newest["via"], newest["address"]) == (f"node {node} reports: ada", node, "127.0.0.1")
    assert newest["what"] == f"{told['what']} (at 1970-01-01T00:00:00.000007Z, it says)"
    assert newest["time"] > "2020"


def test_a_node_proves_who_did_something_there_by_the_ticket_that_it_was_shown(
    server: RegistryServer, node: str
) -> None:
    asking = server.client(server.enrol(node)["token"])
    job = server.client(server.admin.post("/api/v1/tokens", {"name": "job", "role": "operator"})["token"])
    shown = job.post("/api/v1/tickets", {"node": node, "may": "POST /api/v1/runs"})["ticket"]
    told = {
        "who": "eve",
        "via": "x",
        "address": "192.0.2.9",
        "action": "run",
        "what": f"look on {node}: run r1",
        "ticket": shown,
    }
    asking.post("/api/v1/audit", told)
    newest = audit.newest(server.admin)
    assert (newest["who"], newest["via"], newest["address"]) == ("job", node, "127.0.0.1")
    for bad in (
        shown[:-1] + ("A" if shown[-1] != "A" else "B"),
        "x",
        job.post("/api/v1/tickets", {"node": node})["ticket"],
    ):
        asking.post("/api/v1/audit", {**told, "ticket": bad})
        assert audit.newest(server.admin)["who"] == f"node {node} reports: eve"


def test_who_tells_of_deeds_is_a_node_or_a_server_and_of_what_they_know(server: RegistryServer, node: str) -> None:
    asking = server.client(server.enrol(node)["token"])
    server.service.post("/api/v1/audit", {"who": "bob", "action": "stop program", "what": "x", "at": 7, "via": "web"})
    newest = audit.newest(server.admin)
    assert (newest["who"], newest["via"], newest["time"]) == ("bob", "web", "1970-01-01T00:00:00.000007Z")
    with pytest.raises(BadInput):
        asking.post("/api/v1/audit", {"who": "ada", "action": "configure", "what": "nothing"})
    with pytest.raises(NotAllowed):
        server.client(server.admin.post("/api/v1/tokens", {"name": node, "role": "operator"})["token"]).post(
            "/api/v1/audit", {"who": "eve", "action": "run", "what": "x"}
        )


def test_every_route_asks_for_a_token_and_none_breaks(server: RegistryServer) -> None:
    document = urllib3.request("GET", f"{server.url}/api/v1/openapi.json", retries=False).json()
    routes = [(path, method.upper()) for path, methods in document["paths"].items() for method in methods]
    assert len(routes) > 25
    for path, method in routes:
        url = re.sub(r"\{[^}]*\}", "1", path)
        for token in ("", "nw_000000000000_" + "a" * 43, "nonsense"):
            status = ask(server, method, url, token=token).status
            assert status == 401 if path not in OPEN else status in (200, 422), (method, path, status)
        if "/programs" not in path:  # those reach for supervisor, which does not run here
            answer = ask(server, method, url, body=b"{}", headers={"Content-Type": "application/json"})
            assert answer.status < 500, (method, path, answer.data)
