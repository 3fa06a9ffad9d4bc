"""The quick "not modified": who gets it is exactly who gets the document, and only for what is the newest."""

import pytest
import urllib3

from fakes.registry_server import RegistryServer

PATHS = ("/api/v1/servers", "/api/v1/credentials", "/api/v1/nodes/here/bundle")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RegistryServer(tmp_path_factory.mktemp("var")) as server:
        server.apply("{kind: node, name: other}")
        yield server


@pytest.fixture(scope="module")
def tokens(server):
    """A token of each role, of another node, and what is none."""
    made = {
        role: server.admin.post("/api/v1/tokens", {"name": role, "role": role})["token"]
        for role in ("viewer", "operator", "admin")
    }
    made |= {name: server.enrol(name)["token"] for name in ("here", "other")}
    made |= {"service": server.secret("web", "token"), "unknown": f"nw_{'0' * 12}_{'a' * 43}", "odd": "x", "none": ""}
    for token in made.values():
        ask(server, "/api/v1/servers", token)
    return made


def ask(server, path, token, **headers):
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return urllib3.request("GET", server.url + path, headers=headers, retries=False, timeout=30)


@pytest.mark.parametrize("path", PATHS)
def test_whoever_gets_the_document_is_told_that_it_is_the_same_and_nobody_else(server, tokens, path):
    tag = ask(server, path, tokens["service"]).headers["ETag"]
    for name, token in tokens.items():
        whole, again = ask(server, path, token), ask(server, path, token, **{"If-None-Match": tag})
        assert again.status == (304 if whole.status == 200 else whole.status), name
        if again.status == 304:
            assert (again.data, again.headers["ETag"]) == (b"", tag)


@pytest.mark.parametrize("path", PATHS)
def test_an_older_tag_gets_the_document(server, tokens, path):
    for tag in ('"x"', "x", "*x", 'W/"x"', '"'):
        assert ask(server, path, tokens["service"], **{"If-None-Match": tag}).status == 200


def test_a_service_that_asks_for_a_viewer_reaches_as_far_as_the_viewer(server, tokens):
    path = "/api/v1/nodes/here/bundle"
    tag = ask(server, path, tokens["service"]).headers["ETag"]
    more = {"If-None-Match": tag, "Nodeward-User": "ada; role=viewer"}
    assert ask(server, path, tokens["service"], **more).status == 403
    assert ask(server, path, tokens["operator"], **more).status == 403


def test_a_revoked_token_is_told_so(server):
    made = server.admin.post("/api/v1/tokens", {"name": "brief", "role": "operator"})["token"]
    tag = ask(server, "/api/v1/servers", made).headers["ETag"]
    assert ask(server, "/api/v1/servers", made, **{"If-None-Match": tag}).status == 304
    server.admin.delete(f"/api/v1/tokens/{made.split('_')[1]}")
    assert ask(server, "/api/v1/servers", made, **{"If-None-Match": tag}).status == 401


def test_what_the_query_asks_for_is_not_overlooked(server, tokens):
    path = "/api/v1/nodes/here/bundle"
    tag = ask(server, path, tokens["service"]).headers["ETag"]
    assert ask(server, f"{path}?revision=1", tokens["service"], **{"If-None-Match": tag}).status == 404
    assert ask(server, f"{path}?odd=1", tokens["service"], **{"If-None-Match": tag}).status == 422


def test_a_changed_bundle_is_sent(server, tokens):
    path = "/api/v1/nodes/here/bundle"
    tag = ask(server, path, tokens["here"]).headers["ETag"]
    server.apply("{kind: check, name: quick, plugin: load, assign: {nodes: [here]}}")
    changed = ask(server, path, tokens["here"], **{"If-None-Match": tag})
    assert changed.status == 200 and changed.headers["ETag"] != tag


def test_a_bundle_is_the_same_whichever_way_it_is_asked_for(server, tokens):
    path = "/api/v1/nodes/here/bundle"
    quick = ask(server, path, tokens["here"])
    slow = urllib3.request(
        "HEAD", server.url + path, headers={"Authorization": f"Bearer {tokens['here']}"}, retries=False
    )
    for header in ("Content-Type", "Content-Length", "ETag"):
        assert quick.headers[header] == slow.headers[header]
    assert quick.json()["node"] == "here"
