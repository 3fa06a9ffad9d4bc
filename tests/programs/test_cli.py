"""The command line as people and scripts call it, against the real config server."""

import json
import os
import pty
import re
import signal
import subprocess
import sys

import click
import pytest

from fakes.registry_server import RegistryServer
from nodeward.cli.main import COMMANDS, nodeward
from support.until import until


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with RegistryServer(tmp_path_factory.mktemp("var")) as server:
        yield server


@pytest.fixture
def fleet(tmp_path):
    def write(text):
        path = tmp_path / "fleet.yaml"
        path.write_text(text)
        return str(path)

    return write


def said(ended, code=0):
    """Return what it printed, after looking at how it ended: never with a traceback."""
    assert "Traceback" not in ended.stderr
    assert ended.returncode == code, ended.stderr
    return ended.stdout if code == 0 else ended.stderr


def test_a_fleet_is_tried_applied_read_and_taken_away(server, fleet):
    path = fleet("kind: node\nname: cli-1\naddress: 192.0.2.30\ngroups: [cli]\n")
    assert "create  node cli-1\n1 object to change; nothing was changed" in said(
        server.nodeward("apply", "-f", path, "--dry-run")
    )
    assert json.loads(said(server.nodeward("get", "nodes", "--group", "cli", "-o", "json"))) == []
    assert re.search(
        r"create  node cli-1\nRevision \d+ is in force", said(server.nodeward("apply", "-f", path, "-m", "why not"))
    )
    assert "Nothing to change" in said(server.nodeward("apply", "-f", path))
    (row,) = json.loads(said(server.nodeward("get", "node", "--group", "cli", "-o", "json")))
    assert row == {"kind": "node", "name": "cli-1", "address": "192.0.2.30", "groups": ["cli"]}
    assert said(server.nodeward("get", "node", "cli-1")).startswith("kind: node\nname: cli-1\n")
    assert "cli-1" in said(server.nodeward("find", "--address", "192.0.2.30"))
    assert "why not" in said(server.nodeward("revisions"))
    assert "Deleted node cli-1" in said(server.nodeward("delete", "node", "cli-1"))


def test_standard_input_is_a_file_too(server):
    assert "create  group from-stdin" in said(
        server.nodeward("apply", "-f", "-", given="{kind: group, name: from-stdin}")
    )


def test_every_fault_is_told_with_file_line_and_path_and_the_code_says_no(server, fleet):
    text = said(
        server.nodeward("apply", "-f", fleet("kind: node\nname: a b\n---\nkind: check\nname: c\nplugin: load\n")), 1
    )
    assert "2 faults; nothing was changed." in text
    assert "At 'fleet.yaml:1: node a b: name'" in text
    assert "At 'fleet.yaml:4: check c: assign': is missing" in text
    assert "line 2, column 2" in said(server.nodeward("apply", "-f", "-", given="a: [1\nb: 2"), 1)
    assert "cannot be read (No such file" in said(server.nodeward("apply", "-f", "/no/such/file"), 1)


@pytest.mark.parametrize(
    "command",
    [
        ["get", "node"], ["get", "check", "load"], ["find"], ["revisions"], ["revisions", "show", "1"], ["user", "list"],
        ["token", "list"], ["render", "--node", "here"], ["apply", "-f", "-", "--dry-run"],
    ],
)  # fmt: skip
def test_json_is_an_array_or_object_on_stdout_and_nothing_else(server, command):
    ended = server.nodeward(*command, "-o", "json", given="{kind: group, name: g}")
    assert isinstance(json.loads(said(ended)), list | dict)


def test_a_nodes_files_are_shown_and_what_changed_in_them(server, fleet):
    said(server.nodeward("apply", "-f", fleet("{kind: check, name: extra, plugin: load, assign: {nodes: [here]}}")))
    whole = said(server.nodeward("render", "--node", "here"))
    assert whole.startswith("# nodeserver.json (revision ") and "# tailflog.json" in whole
    lines = said(server.nodeward("render", "--node", "here", "--diff")).splitlines()
    changed = [line for line in lines if line[0] in "+-" and line[:3] not in ("+++", "---")]
    assert len(changed) == 1 and '"service": "extra"' in changed[0]
    assert "There is no node 'nobody'" in said(server.nodeward("render", "--node", "nobody"), 1)
    assert "goes with --diff" in said(server.nodeward("render", "--node", "here", "--against", "1"), 2)


def test_going_back_is_a_revision_of_its_own(server, fleet):
    said(server.nodeward("apply", "-f", fleet("{kind: group, name: back, description: one}")))
    (newest, *_) = json.loads(said(server.nodeward("revisions", "-o", "json")))
    said(server.nodeward("apply", "-f", fleet("{kind: group, name: back, description: two}")))
    text = said(server.nodeward("revisions", "restore", str(newest["revision"])))
    assert (
        text
        == f"Revision {newest['revision']} is in force again, as revision {newest['revision'] + 2} (1 object changed).\n"
    )
    assert "description: one" in said(server.nodeward("get", "group", "back"))


def test_a_token_is_printed_alone_works_expires_and_is_revoked(server):
    token = said(server.nodeward("token", "create", "script", "--role", "viewer", "--expires", "90d"))
    assert re.fullmatch(r"nw_[0-9a-f]{12}_[\w-]{43}\n", token)
    mine = {"NODEWARD_TOKEN": token.strip(), "NODEWARD_URL": server.url, "NODEWARD_VAR": "/nowhere"}
    assert "here" in said(server.nodeward("get", "node", **mine))
    assert "is viewer; this needs" in said(server.nodeward("delete", "node", "here", **mine), 1)
    (row,) = [
        row for row in json.loads(said(server.nodeward("token", "list", "-o", "json"))) if row["name"] == "script"
    ]
    assert "'script' is revoked" in said(server.nodeward("token", "revoke", row["id"]))
    assert "was revoked" in said(server.nodeward("get", "node", **mine), 1)


def test_the_enrolment_key_is_printed_alone(server):
    assert said(server.nodeward("token", "enrol-key")).strip() == server.secret("node", "enrol")


def test_people_come_get_passwords_and_go(server):
    assert "ada is operator" in said(
        server.nodeward("user", "add", "ada", "--role", "operator", given="long enough by far\n")
    )
    right = {"name": "ada", "password": "another one, long"}
    assert "is changed" in said(server.nodeward("user", "passwd", "ada", given="another one, long\n"))
    assert server.service.post("/api/v1/login", right)["role"] == "operator"
    assert "at least 10" in said(server.nodeward("user", "passwd", "ada", given="short\n"), 1)
    assert "ada" in said(server.nodeward("user", "list"))
    assert "can no longer" in said(server.nodeward("user", "delete", "ada"))
    assert "There is no user 'ada'" in said(server.nodeward("user", "passwd", "ada", given="another one, long\n"), 1)


def test_without_a_token_it_says_what_to_set(server, tmp_path):
    text = said(server.nodeward("get", "node", NODEWARD_VAR=str(tmp_path)), 78)
    assert "NODEWARD_TOKEN is not set" in text and text.count("\n") == 1


def test_a_config_server_that_is_away_is_a_sentence(server):
    text = said(server.nodeward("get", "node", NODEWARD_URL="http://127.0.0.1:1"), 1)
    assert text.startswith("nodeward: http://127.0.0.1:1 did not answer") and text.count("\n") == 1


def test_without_supervisor_programs_are_a_sentence(server):
    assert "No supervisor answers" in said(server.nodeward("status"), 1)
    assert "No supervisor answers" in said(server.nodeward("web", "restart"), 1)


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_debug_runs_a_role_here_with_coloured_details_until_ctrl_c_or_the_terminals_end(server, tmp_path, told):
    environment = {**server.environment, "NODEWARD_VAR": str(tmp_path / "other"), "NODEWARD_CONFIGSERVER_PORT": "0"}
    command = [sys.executable, "-m", "nodeward.cli.main", "configserver", "debug"]
    screen = tmp_path / "screen"
    with screen.open("wb") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=file, start_new_session=True)
    try:
        until(lambda: "program: started" in screen.read_text())
        tell = (
            os.kill if told == signal.SIGTERM else os.killpg
        )  # Ctrl-C and a terminal that goes are for all that runs there
        tell(process.pid, told)
        assert process.wait(60) == 0
    finally:
        process.kill()
    assert "\x1b[" in screen.read_text() and "Traceback" not in screen.read_text()


def test_a_reader_that_has_seen_enough_is_no_error(server):
    command = f"{sys.executable} -m nodeward.cli.main revisions -o json | head -c 5"
    ended = subprocess.run(
        ["sh", "-c", command], env=server.environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert (ended.stdout, ended.stderr) == ("[\n  {", "")


@pytest.mark.parametrize(
    "words", [["revisions"], ["revisions", "-o", "json"], ["--help"], ["token", "--help"], ["render", "--node", "here"]]
)
def test_where_nobody_reads_it_ends_quietly_as_other_tools_do(server, words):
    reader, writer = os.pipe()
    os.close(reader)  # whoever read has gone, before anything is written
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "nodeward.cli.main", *words],
            env=server.environment, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (-signal.SIGPIPE, "")


def test_an_error_that_nobody_reads_ends_quietly(server):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [sys.executable, "-m", "nodeward.cli.main", "get", "node", "none-such"]
        ended = subprocess.run(command, env=server.environment, stdout=writer, stderr=writer, timeout=60, check=False)
    finally:
        os.close(writer)
    assert ended.returncode == -signal.SIGPIPE


@pytest.mark.parametrize(("more", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colour_is_for_terminals_that_want_it(server, more, coloured):
    ours, theirs = pty.openpty()
    environment = {**server.environment, **more, "TERM": "xterm"}
    table = "from nodeward.cli.output import table; table([{'state': 'CRITICAL'}], ['state'])"
    subprocess.run([sys.executable, "-c", table], env=environment, stdout=theirs, timeout=100, check=True)
    os.close(theirs)
    shown = _read_all(ours)
    os.close(ours)
    assert b"CRITICAL" in shown and (b"\x1b[31m" in shown) is coloured


def _read_all(terminal):
    """Return what came to a terminal whose other side is closed: it may come in pieces, and ends with an error."""
    shown = b""
    try:
        while piece := os.read(terminal, 4096):
            shown += piece
    except OSError:
        pass
    return shown


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_of_the_table_tells_what_it_is_for(name):
    command = nodeward.get_command(click.Context(nodeward), name)
    assert command is not None and command.name == name
    assert command.get_short_help_str()


def test_a_command_that_is_none_is_a_usage_error(server):
    assert "No such command" in said(server.nodeward("frobnicate"), 2)
    assert "is no kind" in said(server.nodeward("get", "widgets"), 2)
