"""backup and restore as an operator runs them, over real servers: the registry and the logs of one appliance onto another."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.config import FakeConfig
from fakes.logserver_process import LogserverProcess
from fakes.registry_server import RegistryServer
from nodeward.core import clock
from nodeward.core.backup import PATH
from nodeward.core.client import Client
from nodeward.core.errors import BadInput, Conflict, NotAllowed
from support.log_records import Line, made
from support.until import until


def lines(count: int) -> bytes:
    return made([Line(b"line %d" % n, clock.now()) for n in range(count)])[1]


def text(client: Client) -> bytes:
    return client.request("GET", PATH).data


def restore(client: Client, data: bytes, digest: str, force: bool = False) -> None:
    half = len(data) // 2
    client.request("PUT", PATH, body=data[:half], query={"part": 0})
    client.request("PUT", PATH, body=data[half:], query={"part": 1})
    client.post(PATH, {"parts": 2, "sha256": digest, "force": force})


@pytest.fixture
def server(
    config: FakeConfig, tmp_path: Path, free_port: Callable[[], int]
) -> Iterator[Callable[[str], LogserverProcess]]:
    """A function that gives a log server of that name; none of them is left running."""
    made: list[LogserverProcess] = []

    def make(name: str) -> LogserverProcess:
        made.append(LogserverProcess(tmp_path / name, config, free_port))
        return made[-1]

    yield make
    for one in made:
        if one.process is not None and one.process.poll() is None:
            one.stop()


@pytest.fixture
def admin(config: FakeConfig) -> Callable[[LogserverProcess], Client]:
    return lambda server: Client(server.viewer.url, config.tokens["admin"], timeout=60.0)


def test_logs_go_from_one_server_to_another_and_a_kill_while_they_are_taken_over_changes_nothing(
    server: Callable[[str], LogserverProcess], admin: Callable[[LogserverProcess], Client]
) -> None:
    old = server("old")
    old.start()
    old.send(lines(3000))
    data = text(admin(old))
    counts = json.loads(data.splitlines()[-1])["end"]
    assert counts["records"] >= 3000  # and what the server says of itself
    want = [row["raw"] for row in old.logs(source="app", limit=500)]
    old.stop()

    new = server("new")
    new.start()
    new.send(made([Line(b"what was here")], source="before")[1])
    client, digest = admin(new), hashlib.sha256(data).hexdigest()
    with pytest.raises(NotAllowed):
        text(new.viewer)
    with pytest.raises(Conflict, match="1 log records"):
        restore(client, data, digest)
    with pytest.raises(BadInput, match="not complete"):
        restore(client, data[:-1], digest, force=True)
    assert [row["raw"] for row in new.logs(source="before")] == ["what was here"]
    restore(client, data, digest, force=True)
    assert new.process is not None
    assert new.process.wait(60) == 0  # supervisor starts it anew

    with subprocess.Popen([sys.executable, "-m", "nodeward.logserver.main"], env=new._environment) as halfway:
        try:
            until(lambda: (new.var / "logserver" / "logs" / "hot.db").exists(), every=0.001)
        finally:
            halfway.kill()
    new.start()
    assert [row["raw"] for row in new.logs(source="app", limit=500)] == want
    assert new.logs(source="before") == []
    assert client.get(f"{PATH}/counts")["restored"] == {"sha256": digest, "counts": counts}
    assert client.get("/api/v1/verify")["damaged"] == []


def test_a_registry_comes_back_and_who_asks_and_the_nodes_are_still_known(tmp_path: Path) -> None:
    fleet = "kind: node\nname: web-1\naddress: 192.0.2.1\n"
    with RegistryServer(tmp_path / "old") as old:
        old.apply(fleet)
        data = text(old.admin)
    counts = json.loads(data.splitlines()[-1])["end"]
    new = RegistryServer(tmp_path / "new")
    with new:
        new.apply(fleet)
        token = new.enrol("web-1")["token"]
        new.apply("kind: node\nname: gone\naddress: 192.0.2.2\n")
        with pytest.raises(Conflict, match="2 revisions made by people"):
            restore(new.admin, data, hashlib.sha256(data).hexdigest())
        restore(new.admin, data, hashlib.sha256(data).hexdigest(), force=True)
    with new:
        assert new.admin.get(f"{PATH}/counts")["restored"]["counts"] == counts
        assert new.client(token).get("/api/v1/whoami")["node"] == "web-1"
        assert {row["name"] for row in new.admin.get("/api/v1/objects/node")["items"]} == {"here", "web-1"}


def test_what_is_no_backup_of_it_is_refused_while_all_that_is_kept_is_still_there(tmp_path: Path) -> None:
    head, end = b'{"kind": "registry", "version": 1}\n', b'{"end": {}}\n'
    with RegistryServer(tmp_path) as server:
        server.apply("kind: node\nname: web-1\naddress: 192.0.2.1\n")
        for data in (
            b"no JSON\n" * 2, b"[]\n" * 2, b"\xff\n" * 2, head + b'{"row": 1}\n' + end, head + b"[" * 100_000 + b"\n" + end,
            head, head.replace(b"registry", b"logs") + end, end,
        ):  # fmt: skip
            with pytest.raises(BadInput):
                restore(server.admin, data, hashlib.sha256(data).hexdigest(), force=True)
        assert server.admin.get("/api/v1/objects/node/web-1")["address"] == "192.0.2.1"
        assert server.admin.get(f"{PATH}/counts")["restored"] is None


def test_the_command_writes_nothing_that_is_not_whole(tmp_path: Path, config: FakeConfig) -> None:
    environment = {
        **os.environ,
        "NODEWARD_URL": "http://127.0.0.1:9",
        "NODEWARD_TOKEN": "x",
        "NODEWARD_VAR": str(tmp_path),
    }
    for arguments in (["backup", str(tmp_path / "file")], ["restore", __file__]):
        done = subprocess.run(
            [sys.executable, "-m", "nodeward.cli.main", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert done.stderr.startswith("nodeward: ")
    assert list(tmp_path.iterdir()) == []
