"""The runbooks that come with Nodeward, against the real programs they drive; each is verified as `apply` does."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest
import yaml

from fakes import sshd
from fakes.config import FakeConfig
from fakes.monitor import FakeMonitor
from fakes.runbook_node import RunbookNode
from fakes.sshd import User
from nodeward.configserver import documents, verify
from support.appliance import SLEEPER, Supervisord, write_image
from support.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = sorted((ROOT / "config" / "runbooks").glob("*.yaml"))
PASSWORD = "Neues-Passwort-77"
needs_users = pytest.mark.skipif(sshd.lacking() is not None, reason=sshd.lacking() or "")
needs_sqlite = pytest.mark.skipif(shutil.which("sqlite3") is None, reason="no SQLite shell (Debian: sqlite3)")
SERVER = "import http.server; http.server.HTTPServer(('127.0.0.1', {port}), http.server.SimpleHTTPRequestHandler).serve_forever()"


def everything():
    return [each for path in SHIPPED for each in documents.read(path.read_text(), path.name)]


@pytest.fixture(scope="module")
def supervised(tmp_path_factory):
    """A node server beside a real supervisor, with the shipped runbooks."""
    var, home = tmp_path_factory.mktemp("var"), tmp_path_factory.mktemp("home")
    with FakeConfig() as config, FakeMonitor() as monitor, RunbookNode(config, monitor, var) as node:
        node.give([])
        node.wait_until_ready()
        for document in everything():
            config.runbooks[document.body["name"]] = document.body
        node.page = free_port()
        write_image(home, "some", {"lamp": SLEEPER, "page": SERVER.format(port=node.page)}, [])
        with Supervisord(home, "some", var) as supervisor:
            for name in ("lamp", "page"):
                supervisor.until_state(name, "RUNNING", 90)
            node.supervisor = supervisor
            yield node


def test_every_shipped_runbook_is_valid_and_told_of(tmp_path):
    assert verify.applied({}, everything())
    page = (ROOT / "docs" / "how-to" / "runbooks.md").read_text()
    for path in SHIPPED:
        first = next(yaml.safe_load_all(path.read_text()))["name"]
        assert f"`{first}`" in page


def test_the_how_to_pages_examples_are_valid():
    page = (ROOT / "docs" / "how-to" / "runbooks.md").read_text()
    examples = [part.partition("```")[0] for part in page.split("```yaml\n")[1:]]
    assert len(examples) == 2
    for text in examples:
        assert verify.applied({}, documents.read(text, "runbooks.md"))


def test_the_how_to_pages_dialogue_goes_as_it_says(supervised):
    page = (ROOT / "docs" / "how-to" / "runbooks.md").read_text()
    supervised.has(page.split("```yaml\n")[2].partition("```")[0], "example")
    row = supervised.run("example", password=PASSWORD)
    assert "it has version 7.2" in supervised.output(row["id"])


def test_a_program_is_restarted_and_waited_for(supervised):
    before = supervised.supervisor.programs.get("page")
    url = f"http://127.0.0.1:{supervised.page}/"
    row = supervised.run("restart-program", program="page", url=url)
    assert row["state"] == "succeeded", supervised.output(row["id"])
    after = supervised.supervisor.programs.get("page")
    assert after.state == "RUNNING"
    assert after.pid != before.pid
    row = supervised.run("restart-program", program="lamp")
    assert [step["state"] for step in row["steps"]] == ["ok", "ok", "skipped"]
    row = supervised.run("restart-program", program="no-such")
    assert "Supervisor did not restart it" in row["detail"]


def test_diagnostics_are_collected(supervised):
    row = supervised.run("collect-diagnostics", lines=5)
    assert row["state"] == "succeeded"
    printed = supervised.output(row["id"])
    for word in ("Linux", "MemTotal", "Filesystem", "lamp"):
        assert word in printed


@needs_users
def test_a_password_is_changed_at_passwds_prompts(supervised):
    with User(f"nw-{os.getpid() % 100000}-c", "before-Before-1") as user:
        before = user.hash()
        row = supervised.run("change-password", user=user.name, password=PASSWORD)
        assert row["state"] == "succeeded", supervised.output(row["id"])
        assert user.hash() != before
        assert PASSWORD.encode() not in supervised.files()
    assert supervised.run("change-password", user="no-such-user", password=PASSWORD)["state"] == "failed"


@needs_sqlite
def test_a_database_is_dumped_and_restored_at_its_shells_prompts(supervised, tmp_path):
    database, dump = tmp_path / "shop.db", tmp_path / "shop.sql"
    with sqlite3.connect(database) as db:
        db.execute("create table goods(name text, price int)")
        db.executemany("insert into goods values(?, ?)", [(f"thing-{n} ☃'", n) for n in range(500)])
    db.close()
    row = supervised.run("dump-database", database=str(database), dump=str(dump))
    assert row["state"] == "succeeded", (row["detail"], supervised.output(row["id"]))
    assert dump.read_text().rstrip().endswith("COMMIT;")
    database.write_bytes(b"this is no database any more, and " * 400)
    row = supervised.run("dump-database", database=str(database), dump=str(tmp_path / "other.sql"))
    assert row["state"] == "failed"
    assert not (tmp_path / "other.sql").exists()
    row = supervised.run("restore-database", database=str(database), dump=str(dump))
    assert row["state"] == "succeeded", (row["detail"], supervised.output(row["id"]))
    restored = sqlite3.connect(database)
    assert restored.execute("select count(*), max(price) from goods").fetchone() == (500, 499)
    restored.close()
    dump.write_text(dump.read_text()[: len(dump.read_text()) // 2])
    assert supervised.run("restore-database", database=str(database), dump=str(dump))["state"] == "failed"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shop.db", "shop.db.before", "shop.sql"]
