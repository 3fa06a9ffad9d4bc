"""The inventory plugin: the fleet as the config server has it, or an error; never an empty one."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
FLEET = {
    "_meta": {
        "hostvars": {
            "web-1": {"nodeward_node": "web-1", "ansible_host": "10.0.0.1", "nodeward_labels": {"dc": "sh"}},
            "db-1": {"nodeward_node": "db-1", "nodeward_labels": {}},
        }
    },
    "all": {"hosts": ["web-1", "db-1"], "children": ["web", "empty"]},
    "web": {"hosts": ["web-1"]},
    "empty": {"hosts": []},
}


class Config:
    """A config server that answers `inventory` with what a test gives it."""

    def __init__(self) -> None:
        self.answer: tuple[int, Any] = (200, FLEET)
        self.asked: list[tuple[str, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.path, self.headers["Authorization"]))
                status, body = outer.answer
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Nothing: the test looks at what was asked."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def config() -> Iterator[Config]:
    made = Config()
    yield made
    made.server.shutdown()
    made.server.server_close()


def inventory(
    config: Config | None, *words: str, program: str = "ansible-inventory", **environment: str
) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NODEWARD_", "ANSIBLE_"))}
    named = {"NODEWARD_URL": f"http://127.0.0.1:{config.server.server_port}"} if config else {}
    return subprocess.run(
        [Path(sys.executable).with_name(program), *(words or ("--list",))],
        cwd=ROOT / "ansible",
        env={**kept, "NODEWARD_TOKEN": "nw_token", **named, **environment, "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_every_node_is_there_in_the_fleets_groups_and_in_one_for_each_label(config: Config) -> None:
    done = inventory(config)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    address = found["_meta"]["hostvars"]["web-1"]["ansible_host"]
    assert address in ("10.0.0.1", {"__ansible_unsafe": "10.0.0.1"})  # what comes from elsewhere is never a template
    assert found["web"]["hosts"] == ["web-1"] and found["label_dc_sh"]["hosts"] == ["web-1"]
    assert set(found["_meta"]["hostvars"]) == {"web-1", "db-1"}
    assert config.asked == [("/api/v1/inventory", "Bearer nw_token")]


def test_groups_can_be_made_of_what_is_known_of_a_node(config: Config, tmp_path: Path) -> None:
    own = tmp_path / "own.nodeward.yml"
    own.write_text("plugin: nodeward.fleet.nodes\ngroups: {here: nodeward_labels.dc | default('') == 'sh'}\n")
    found = json.loads(inventory(config, "-i", str(own), "--list").stdout)
    assert found["here"]["hosts"] == ["web-1"] and "label_dc_sh" not in found


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((403, {"detail": "'x' is viewer; this needs operator.", "errors": []}), "'x' is viewer; this needs operator."),
        ((502, b"<html>"), "answered 502; is NODEWARD_URL a config server's?"),
        ((200, b"<html>"), "does not answer"),
        ((200, []), "is no inventory"),
        ((200, {"_meta": {"hostvars": {}}}), "has no node with a node server yet"),
    ],
)
def test_what_is_no_fleet_is_an_error_in_a_sentence(config: Config, answer: tuple[int, Any], sentence: str) -> None:
    config.answer = answer
    done = inventory(config)
    assert done.returncode != 0 and sentence in " ".join(done.stderr.split()), done.stderr
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("[ERROR]: "), "one sentence, and nothing else"


def test_a_config_server_that_is_away_is_told_in_one_sentence_by_every_program(config: Config) -> None:
    nowhere = {"NODEWARD_URL": f"http://127.0.0.1:{config.server.server_port}/nothing"}
    config.server.shutdown()
    config.server.server_close()
    for program in (("ansible-inventory", "--list"), ("ansible-playbook", "playbooks/drift.yml")):
        done = inventory(None, *program[1:], program=program[0], **nowhere)
        assert done.returncode == 4 and done.stdout == ""
        assert done.stderr.startswith("[ERROR]: The fleet cannot be had. ") and len(done.stderr.splitlines()) == 1


def test_who_has_other_inventories_too_may_go_on_without_the_fleet(config: Config) -> None:
    config.answer = (403, {"detail": "'x' is viewer; this needs operator.", "errors": []})
    done = inventory(
        config,
        "-i",
        "inventory/fleet.nodeward.yml",
        "-i",
        "here,",
        "--list",
        ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="0",
    )
    assert done.returncode == 0 and "this needs operator." in done.stderr
    assert json.loads(done.stdout)["ungrouped"]["hosts"] == ["here"]


def test_where_no_appliance_is_named_or_runs_that_is_said(tmp_path: Path) -> None:
    done = inventory(None, NODEWARD_TOKEN="", NODEWARD_VAR=str(tmp_path), PATH="/nonexistent")
    said = " ".join(done.stderr.split())
    assert done.returncode != 0 and "set NODEWARD_URL and NODEWARD_TOKEN" in said


def test_the_appliance_under_nodeward_var_is_found_with_its_own_token(config: Config, tmp_path: Path) -> None:
    (tmp_path / "secrets" / "cli").mkdir(parents=True)
    (tmp_path / "secrets" / "cli" / "token").write_text("nw_local\n")
    port = str(config.server.server_port)
    done = inventory(None, NODEWARD_TOKEN="", NODEWARD_VAR=str(tmp_path), NODEWARD_CONFIGSERVER_PORT=port)
    assert done.returncode == 0, done.stderr
    assert config.asked[0][1] == "Bearer nw_local"
