"""tailflog on the command line, and from a file through the real log server to a search."""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request

import pytest

from fakes.sink import Sink
from torture.harness import Following, Writer, all_came, source, until

TAILFLOG = [sys.executable, "-m", "nodeward.tailflog.main"]
LINE = "Nov 23 09:05:00 web-1 sshd[7]: line {}\n"


def _run(*arguments, **environment):
    return subprocess.run(
        [*TAILFLOG, *map(str, arguments)],
        env={**os.environ, "NODEWARD_TOKEN": "token", **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_a_file_is_shipped_once_and_a_second_run_goes_on(tmp_path):
    file, state = tmp_path / "auth.log", tmp_path / "state"
    file.write_text("".join(LINE.format(number) for number in range(1000)))
    with Sink() as sink:
        options = (
            "--to",
            sink.url,
            "--source",
            "auth",
            "--format",
            "syslog",
            "--state",
            state,
            "--node",
            "db-1",
            "--once",
        )
        first = _run(file, *options)
        assert first.returncode == 0, first.stderr
        assert "1,000 lines" in first.stderr and "0 did not parse" in first.stderr
        with file.open("a") as end:
            end.write(LINE.format(1000) + "the last one has no newline")
        second = _run(file, *options)
        assert "2 lines" in second.stderr and "1 did not parse" in second.stderr
        third = _run(file, *options)
        assert third.returncode == 0 and "0 lines" in third.stderr
        assert len(sink.raws()) == 1002 and sink.repeated == 0
        record = next(iter(sink.records.values()))
        assert (record.node, record.source, record.host, record.ident) == ("db-1", "auth", "web-1", "sshd")


def test_following_begins_at_the_end_when_asked_and_ends_with_a_signal(tmp_path):
    file = tmp_path / "app.log"
    file.write_text("old\nhalf of ")
    with Sink() as sink:
        command = [*TAILFLOG, str(file), "--to", sink.url, "--from-end", "--state", str(tmp_path / "state")]
        with subprocess.Popen(
            command, env={**os.environ, "NODEWARD_TOKEN": "t"}, stderr=subprocess.PIPE, text=True
        ) as run:
            assert "Following" in run.stderr.readline()
            with file.open("a") as end:
                end.write("a line\n")
            assert sink.wait_for(1) == [b"half of a line"]
            run.send_signal(signal.SIGTERM)
            assert run.wait(timeout=60) == 0
            assert "1 line (" in run.stderr.read()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["{file}"], "Where to?"),
        (["--to", "http://x"], "no FILE"),
        (["{dir}/none.log", "--to", "http://x"], "There is no file"),
        (["{dir}", "--to", "http://x"], "no regular file"),
        (["{file}", "--to", "ftp://x"], "neither the log server's URL"),
        (["{file}", "--to", "http://x", "--format", "sylog"], "'sylog' is no format"),
        (["{file}", "--to", "http://x", "--format", "pattern:(a"], "the pattern is not valid"),
        (["{file}", "--to", "http://x", "--timezone", "Mars"], "no time zone"),
        (["{file}", "--to", "http://x", "--encoding", "klingon"], "no encoding"),
        (["{file}", "--to", "mongodb://"], "cannot be used"),
        (["--check-config", "{dir}/none.json"], "is not there"),
        (["--check-config", "{file}"], "is not JSON"),
        (["--nonsense"], "No such option"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(tmp_path, arguments, says):
    file = tmp_path / "app.log"
    file.write_text("x\n")
    told = _run(*(one.format(file=file, dir=tmp_path) for one in arguments), NODEWARD_VAR=str(tmp_path / "var"))
    assert told.returncode != 0
    assert says in told.stderr and "Traceback" not in told.stderr


def test_without_a_token_it_says_where_one_comes_from(tmp_path):
    file = tmp_path / "app.log"
    file.write_text("x\n")
    told = _run(file, "--to", "http://127.0.0.1:9", NODEWARD_TOKEN="", NODEWARD_VAR=str(tmp_path / "var"))
    assert told.returncode == 78 and "nodeward token create" in told.stderr
    assert str(tmp_path / "var") in told.stderr


def _shipped(file, state, sink, *more, **environment):
    return _run(file, "--to", sink.url, "--state", state, "--source", "app", "--once", *more, **environment)


def test_the_node_is_the_one_that_the_token_speaks_for(tmp_path):
    file, token = tmp_path / "app.log", tmp_path / "token"
    file.write_text("x\n")
    token.write_text("secret\n")
    with Sink() as sink:
        sink.token, sink.speaks_for = "secret", "db-7"
        told = _shipped(file, tmp_path / "state", sink, "--token-file", token, NODEWARD_TOKEN="another")
        assert told.returncode == 0, told.stderr
        assert "of node db-7" in told.stderr
        assert [record.node for record in sink.records.values()] == ["db-7"]
        other = _shipped(file, tmp_path / "other", sink, "--node", "web-1", NODEWARD_TOKEN="secret")
        assert other.returncode == 1
        assert "speaks for node 'db-7', not for 'web-1'" in other.stderr


def test_the_token_of_this_machines_node_is_found_under_its_state(tmp_path):
    file, var = tmp_path / "app.log", tmp_path / "var"
    file.write_text("x\n")
    (var / "secrets" / "nodeserver").mkdir(parents=True)
    (var / "secrets" / "nodeserver" / "token").write_text("secret")
    with Sink() as sink:
        sink.token, sink.speaks_for = "secret", "local"
        told = _shipped(file, tmp_path / "state", sink, NODEWARD_TOKEN="", NODEWARD_VAR=str(var))
        assert told.returncode == 0, told.stderr
        assert sink.raws() == [b"x"]


def test_a_token_that_is_refused_ends_the_run_with_the_servers_sentence(tmp_path):
    file = tmp_path / "app.log"
    file.write_text("x\n")
    with Sink() as sink:
        sink.token = "right"
        told = _shipped(file, tmp_path / "state", sink, NODEWARD_TOKEN="wrong")
    assert told.returncode == 1
    assert "That token is not known." in told.stderr and "Traceback" not in told.stderr


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_refuses_for_good_ends_the_run_and_the_lines_wait_for_the_next(tmp_path, status):
    file = tmp_path / "app.log"
    file.write_text("".join(f"{number}\n" for number in range(100)))
    with Sink() as sink:
        sink.answer_with = [status] * 9
        told = _run(file, "--to", sink.url, "--state", tmp_path / "state")  # it follows, and would not end by itself
        assert told.returncode == 1, told.stderr
        assert f"The server takes nothing: The sink was told to answer {status}." in told.stderr
        assert sink.requests == 1 and not sink.records
        sink.answer_with = []
        again = _run(file, "--to", sink.url, "--state", tmp_path / "state", "--once")
        assert again.returncode == 0, again.stderr
        assert len(sink.raws()) == 100 and sink.repeated == 0


def test_a_source_of_which_the_server_takes_nothing_ends_the_run(tmp_path):
    file = tmp_path / "app.log"
    file.write_text("x" * 90 + "\n")
    with Sink() as sink:
        sink.refuse_source = "app"
        command = [*TAILFLOG, str(file), "--to", sink.url, "--source", "app", "--state", str(tmp_path / "state")]
        with subprocess.Popen(
            command, env={**os.environ, "NODEWARD_TOKEN": "t"}, stderr=subprocess.PIPE, text=True
        ) as run:
            for turn in range(1, 5):
                until(lambda turn=turn: sink.requests >= turn, 60)
                with file.open("a") as end:
                    end.write("more\n")
            assert run.wait(timeout=60) == 1
            said = run.stderr.read()
    assert "The server takes nothing: Source 'app' is refused." in said and "Traceback" not in said


def test_what_is_passing_is_said_and_tried_again(tmp_path):
    file = tmp_path / "app.log"
    file.write_text("x\n")
    sink = Sink()
    command = [*TAILFLOG, str(file), "--to", sink.url, "--state", str(tmp_path / "state"), "--once"]
    with subprocess.Popen(command, env={**os.environ, "NODEWARD_TOKEN": "t"}, stderr=subprocess.PIPE, text=True) as run:
        assert "The log server is asked again until it answers" in run.stderr.readline()
        sink.answer_with = [503, 503]
        with sink:
            assert run.wait(timeout=60) == 0
            assert sink.raws() == [b"x"]
        said = run.stderr.read()
    assert "Batches are kept in the spool until the log server takes them" in said
    assert "takes batches again" in said


def test_a_bundle_is_checked_with_every_fault(tmp_path):
    bundle = tmp_path / "tailflog.json"
    bundle.write_text(json.dumps({"node": "", "sources": [{"source": "a", "paths": ["x"], "formt": "raw"}]}))
    told = _run("--check-config", bundle)
    assert told.returncode == 78
    for words in ("node", "sources[0].paths", "sources[0].formt"):
        assert words in told.stderr
    bundle.write_text(json.dumps({"node": "web-1", "sources": [{"source": "a", "paths": ["/x"]}]}))
    assert _run("--check-config", bundle).stdout.endswith("is valid: 1 source for node web-1.\n")


@pytest.mark.plugins
@pytest.mark.parametrize("way", ["create 0640", "copytruncate"])
def test_the_real_logrotate_takes_no_line_away(tmp_path, way):
    logs = tmp_path / "logs"
    logs.mkdir()
    writer = Writer(logs / "app.log")
    rules = tmp_path / "rules"
    user = "su root root\n" if os.geteuid() == 0 else ""
    rules.write_text(f"{logs}/app.log {{\n{user}rotate 3\ncompress\ndelaycompress\nmissingok\n{way}\n}}\n")
    rules.chmod(0o600)
    logrotate = shutil.which("logrotate", path=f"{os.environ['PATH']}:/usr/sbin")
    with Sink() as sink, Following(tmp_path, sink, [source(logs, "app.log*")]):
        for _ in range(6):
            writer.write(500)
            sink.wait_for(len(writer.written))
            subprocess.run([logrotate, "-f", "-s", str(tmp_path / "status"), str(rules)], check=True, timeout=60)
            writer.reopen()
        writer.write(10)
        all_came(sink, writer)


def test_a_line_written_to_a_file_is_found_by_the_real_log_server(tmp_path, config, free_port):
    var, port = tmp_path / "server", free_port()
    config.servers["logserver"] = f"http://127.0.0.1:{port}"
    config.give_token(var, "logserver", config.tokens["service"])
    environment = {
        **os.environ,
        "NODEWARD_VAR": str(var),
        "NODEWARD_CONFIGSERVER_URL": config.url,
        "NODEWARD_LOGSERVER_PORT": str(port),
        "NODEWARD_LOGSERVER_SYSLOG_PORT": "0",
    }
    server = subprocess.Popen([sys.executable, "-m", "nodeward.logserver.main"], env=environment)
    try:
        base = f"http://127.0.0.1:{port}"
        until(lambda: _answers(f"{base}/readyz"), 60)
        file = tmp_path / "auth.log"
        file.write_text("".join(LINE.format(f"number{number}") for number in range(3000)))
        token = config.node_token("web-1")
        options = ("--to", base, "--source", "auth", "--format", "syslog", "--node", "web-1", "--once")
        for state in ("one", "one", "two"):  # a second state makes a second life: a file read twice on purpose
            told = _run(file, *options, "--state", tmp_path / state, NODEWARD_TOKEN=token)
            assert told.returncode == 0, told.stderr
        found = _get(f"{base}/api/v1/logs?q=number2999&limit=10", config.tokens["viewer"])["items"]
        assert [row["message"] for row in found] == ["line number2999"] * 2
        sources = _get(f"{base}/api/v1/sources", config.tokens["viewer"])["items"]
        assert [row["records"] for row in sources if row["source"] == "auth"] == [6000]
    finally:
        server.terminate()
        server.wait(timeout=60)


def _answers(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status == 200
    except OSError:
        return False


def _get(url, token):
    with urllib.request.urlopen(
        urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"}), timeout=60
    ) as answer:
        return json.load(answer)
