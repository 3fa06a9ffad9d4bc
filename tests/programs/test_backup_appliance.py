"""backup and restore over a whole appliance, by the command line alone: from one kind of store to the other, and back."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fakes.three_roles import ThreeRoles
from nodeward.core import clock
from nodeward.core.backup import PATH
from nodeward.core.errors import NodewardError, NotAuthenticated
from support.log_records import Line, made
from support.until import until

pytestmark = [pytest.mark.mongodb, pytest.mark.timeout(400)]  # ten starts of programs, one after the other
PASSWORD = "correct horse battery"
FLEET = """
kind: user
name: ada
role: operator
---
kind: group
name: web
"""
LINES = 100  # a batch


def fill(appliance: ThreeRoles) -> None:
    """Let there be something of everything that is kept."""
    appliance.apply(FLEET)
    appliance.apply(FLEET + "description: the web servers\n")
    appliance.admin.put("/api/v1/users/ada/password", {"password": PASSWORD})
    until(lambda: known(appliance), every=0.1)
    until(lambda: ("here", "load") in states(appliance), every=0.1)
    for number in range(4):
        load = {"service": "load", "code": 2, "output": f"high {number}", "perfdata": f"load1={number}.5;2;3"}
        answer = appliance.report(load, {"service": "memory", "code": 0, "output": "enough"}, first=2 * number)
        assert answer["accepted"] == 2
    monitor = appliance.of("monitor")
    monitor.post("/api/v1/acknowledgements", {"node": "here", "service": "load", "comment": "mine", "expires": "never"})
    now = clock.now()
    times = {"from": clock.rfc3339(now), "to": clock.rfc3339(now + 3_600_000_000)}
    monitor.post("/api/v1/downtimes", {"node": "here", "service": "memory", "comment": "new modules", **times})


def known(appliance: ThreeRoles) -> bool:
    """Whether the monitor knows the node's credential: a server asks for new ones at most once a second."""
    try:
        appliance.report()
    except NotAuthenticated:
        return False
    return True


def states(appliance: ThreeRoles) -> dict[tuple[str, str | None], Any]:
    rows = appliance.of("monitor").get("/api/v1/states")["items"]
    names = ("state", "state_type", "output", "acknowledged", "in_downtime")
    return {(row["node"], row["service"]): [row[name] for name in names] for row in rows}


def kept(appliance: ThreeRoles) -> dict[str, Any]:
    """Return what people find in the registry and at the monitor."""
    admin, monitor = appliance.admin, appliance.of("monitor")
    events = monitor.get("/api/v1/events", {"node": "here", "service": "load", "limit": 1000})["items"]
    return {
        "revisions": [admin.get(f"/api/v1/revisions/{n}") for n in range(1, 4)],
        "objects": [admin.get(f"/api/v1/objects/{kind}")["items"] for kind in ("node", "check", "group", "user")],
        "states": {key: row for key, row in states(appliance).items() if key[1] in ("load", "memory")},
        "events": sorted(
            (one["id"], one["type"], one.get("state")) for one in events if one["type"] in ("state", "acknowledgement")
        ),
        "downtimes": [one["comment"] for one in monitor.get("/api/v1/downtimes")["items"]],
        "perfdata": [
            point[1]
            for series in monitor.get("/api/v1/perfdata", {"node": "here", "service": "load", "step": "raw"})["series"]
            for point in series["points"]
        ],
    }


@contextmanager
def pouring(appliance: ThreeRoles, acknowledged: list[int]) -> Iterator[None]:
    """Lines come in, batch after batch; how many lines are acknowledged is noted."""
    ending = threading.Event()

    def pour() -> None:
        number = offset = 0
        while not ending.wait(0.02):
            texts = [b"line %07d" % (number + n) for n in range(LINES)]
            try:
                appliance.send(made([Line(text, clock.now()) for text in texts], first=offset)[1])
            except NodewardError:
                continue  # it is sent again
            number, offset = number + LINES, offset + sum(len(text) + 1 for text in texts)
            acknowledged.append(number)

    thread = threading.Thread(target=pour)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def backup(appliance: ThreeRoles, file: Path) -> list[str]:
    """Back up by the command line. Return the counts it prints."""
    done = appliance.nodeward("backup", str(file))
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[:-1]


def same_counts(printed: str) -> bool:
    """Whether a restore printed each count twice: as in the file, and as restored."""
    rows = [line.split("  ") for line in printed.splitlines() if line.startswith(("logs ", "states ", "registry "))]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    return len(cells) == 3 and all(len(row) == 3 and row[1] == row[2] for row in cells)


def refuses_what_is_damaged(appliance: ThreeRoles, file: Path) -> None:
    """A cut and an altered file are refused before anything is sent."""
    whole = file.read_bytes()
    altered = bytearray(whole)
    altered[len(whole) // 2] ^= 1
    for number, data in enumerate((whole[:-200], bytes(altered))):
        bad = file.with_name(f"bad-{number}")
        bad.write_bytes(data)
        done = appliance.nodeward("restore", str(bad))
        assert done.returncode == 1
        assert done.stderr.startswith("nodeward: ")
        assert str(bad) in done.stderr
        assert "Traceback" not in done.stderr
    assert not list(appliance.var.rglob("restore.coming"))
    assert not list(appliance.var.rglob("restore.ready"))


def begins_and_is_killed(appliance: ThreeRoles, file: Path) -> None:
    """The log server has what it shall take over, no other server has begun, and the command is gone."""
    appliance.held.add("logserver")
    with appliance.begin_command("restore", str(file)) as command:
        try:
            until(lambda: appliance.ended("logserver"), 60, every=0.05)
        finally:
            command.kill()
    appliance.held.clear()
    appliance.wait("logserver")
    assert appliance.admin.get(f"{PATH}/counts")["restored"] is None
    assert appliance.of("monitor").get(f"{PATH}/counts")["restored"] is None


def test_an_appliance_moves_to_mongodb_and_back_while_lines_pour_in(tmp_path: Path, mongodb: str) -> None:
    first, second = tmp_path / "first.backup", tmp_path / "second.backup"
    with ThreeRoles(tmp_path / "embedded") as old:
        fill(old)
        want, acknowledged = kept(old), list[int]()
        with pouring(old, acknowledged):
            until(lambda: len(acknowledged) > 20)
            before = acknowledged[-1]
            printed = backup(old, first)
            after = acknowledged[-1] + LINES  # one may be on its way
        assert [line.split()[0] for line in printed[-3:]] == ["registry", "states", "logs"]
    with ThreeRoles(tmp_path / "new", mongodb) as new:
        refuses_what_is_damaged(new, first)
        begins_and_is_killed(new, first)
        done = new.nodeward("restore", str(first))
        assert (done.returncode, done.stderr) == (0, "")
        assert same_counts(done.stdout), done.stdout
        lines = new.lines(source="app")
        assert before <= len(lines) <= after
        assert sorted(lines) == [f"line {n:07d}" for n in range(len(lines))]
        assert_kept(new, want)
        again = new.nodeward("restore", str(first))
        assert again.returncode == 0
        assert "was restored before" in again.stdout
        new.apply("kind: group\nname: later\n")
        backup(new, second)
    with ThreeRoles(tmp_path / "back") as back:
        done = back.nodeward("restore", str(second))
        assert (done.returncode, done.stderr) == (0, "")
        assert same_counts(done.stdout), done.stdout
        assert back.lines(source="app") == lines
        assert "later" in {row["name"] for row in back.admin.get("/api/v1/objects/group")["items"]}
        refused = back.nodeward("restore", str(first))
        assert refused.returncode == 1
        assert "not empty" in refused.stderr
        assert "--force" in refused.stderr


def assert_kept(appliance: ThreeRoles, want: dict[str, Any]) -> None:
    """All is there again, and who could come in still can."""
    assert kept(appliance) == want
    assert want["perfdata"] == [0.5, 1.5, 2.5, 3.5]
    who = {"name": "ada", "password": PASSWORD}
    assert appliance.service.post("/api/v1/login", who)["role"] == "operator"
    with pytest.raises(NotAuthenticated):
        appliance.service.post("/api/v1/login", {**who, "password": "wrong"})
    assert appliance.lines(q="0000042", source="app") == ["line 0000042"]
