"""tailflog from the command line into somebody's own MongoDB: each line a document, once, whatever happens in between."""

import signal
import subprocess
import sys

import pytest
from pymongo import MongoClient
from pymongo.uri_parser import parse_uri

from torture.harness import until

pytestmark = pytest.mark.mongodb
TAILFLOG = [sys.executable, "-m", "nodeward.tailflog.main"]
LINE = "Nov 23 09:05:00 web-1 sshd[7]: line {}\n"


@pytest.fixture
def database(mongodb):
    """What the test's own database holds."""
    with MongoClient(mongodb) as client:
        yield client.get_default_database()


def _with_collection(uri, name):
    """Return the URI with a collection behind its database, as `--to` takes it."""
    database = parse_uri(uri)["database"]
    head, _, options = uri.partition("?")
    return f"{head.removesuffix(database)}{database}.{name}" + (f"?{options}" if options else "")


def _command(file, uri, state, *more):
    return [*TAILFLOG, str(file), "--to", uri, "--source", "auth", "--format", "syslog", "--state", str(state), *more]


def _run(*arguments):
    return subprocess.run(_command(*arguments), capture_output=True, text=True, timeout=100)


def test_each_line_is_a_document_once_however_often_it_is_sent(tmp_path, mongodb, database):
    file, uri = tmp_path / "auth.log", _with_collection(mongodb, "auth")
    file.write_text("".join(LINE.format(number) for number in range(3000)) + "no syslog\n")
    told = _run(file, uri, tmp_path / "one", "--once", "--node", "web-1")
    assert told.returncode == 0, told.stderr
    assert database["auth"].count_documents({}) == 3001
    row = database["auth"].find_one({"message": "line 2999"})
    assert (row["node"], row["source"], row["host"], row["ident"], row["pid"]) == ("web-1", "auth", "web-1", "sshd", 7)
    assert row["_id"].startswith("web-1/auth/") and row["raw"] == LINE.format(2999).rstrip()
    assert database["auth"].count_documents({"parse_error": {"$exists": True}}) == 1
    (tmp_path / "one" / "checkpoint").unlink()
    (tmp_path / "one" / "checkpoint.previous").unlink(missing_ok=True)  # all of it is sent again, under the same keys
    assert _run(file, uri, tmp_path / "one", "--once", "--node", "web-1").returncode == 0
    assert database["auth"].count_documents({}) >= 3001


def test_without_a_collection_it_is_logs(tmp_path, mongodb, database):
    file = tmp_path / "auth.log"
    file.write_text(LINE.format(1))
    assert _run(file, mongodb, tmp_path / "state", "--once").returncode == 0
    assert database["logs"].count_documents({}) == 1


def test_a_kill_and_a_rotation_in_between_cost_no_line_and_double_none(tmp_path, mongodb, database):
    file, uri, state = tmp_path / "auth.log", _with_collection(mongodb, "auth"), tmp_path / "state"
    count = 0
    file.touch()
    for turn in range(4):
        with subprocess.Popen(_command(file, uri, state), stderr=subprocess.PIPE) as run:
            try:
                with file.open("a") as end:
                    end.writelines(LINE.format(count + number) for number in range(500))
                count += 500
                until(lambda wanted=count - 400: database["auth"].count_documents({}) >= wanted, 60)
            finally:
                run.kill()
        if turn == 1:
            file.rename(tmp_path / "auth.log.1")
            file.touch()
    assert _run(file, uri, state, "--once").returncode == 0
    assert database["auth"].count_documents({}) == count
    assert len(database["auth"].distinct("message")) == count


def test_a_server_that_is_away_is_said_and_waited_for(tmp_path):
    file = tmp_path / "auth.log"
    file.write_text(LINE.format(1))
    command = _command(file, "mongodb://127.0.0.1:1/x?serverSelectionTimeoutMS=500", tmp_path / "state")
    screen = tmp_path / "screen"
    with screen.open("wb") as said, subprocess.Popen(command, stderr=said) as run:
        try:
            until(lambda: "Batches are kept in the spool" in screen.read_text(), 60)
            run.send_signal(signal.SIGTERM)
            assert run.wait(timeout=60) == 0
        finally:
            run.kill()
    assert "bytes wait for the next run" in screen.read_text()
