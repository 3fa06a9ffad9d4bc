"""The programs over HTTP: who may, what is answered, and what bad input gets."""

from pathlib import Path

import pytest

from nodeward.core import http
from nodeward.core.auth import Credential
from nodeward.supervise.http import mount


class Credentials:
    def __init__(self, config):
        self._known = {row["id"]: Credential(**row) for row in config.credentials}

    def find(self, identifier):
        return self._known.get(identifier)


@pytest.fixture
def ask(config, tmp_path: Path):
    app = http.create("monitor", "monitor", Credentials(config), list)
    mount(app, tmp_path)
    client = app.test_client()

    def call(method, path, role):
        return client.open(path, method=method, headers={"Authorization": f"Bearer {config.tokens[role]}"})

    return call


@pytest.mark.parametrize("action", ["start", "stop", "restart"])
def test_only_an_administrator_acts_on_programs(ask, action):
    for role in ("viewer", "operator"):
        assert ask("POST", f"/api/v1/programs/web/{action}", role).status_code == 403


def test_no_supervisor_is_said_and_is_not_the_askers_fault(ask):
    answer = ask("GET", "/api/v1/programs", "viewer")
    assert answer.status_code == 503
    assert "No supervisor answers at" in answer.json["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/programs/web/explode"),
        ("POST", "/api/v1/programs/%00/start"),
        ("POST", "/api/v1/programs/" + "x" * 200 + "/start"),
        ("GET", "/api/v1/programs/web/log?bytes=0"),
        ("GET", "/api/v1/programs/web/log?bytes=99999999"),
        ("GET", "/api/v1/programs/web/log?lines=3"),
    ],
)
def test_bad_input_is_refused_with_what_is_wrong(ask, method, path):
    answer = ask(method, path, "admin")
    assert answer.status_code == 422
    assert answer.json["errors"]
