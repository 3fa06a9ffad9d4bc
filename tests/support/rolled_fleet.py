"""A config server, a monitor and two nodes under supervisors of their own, all the product's own programs: to roll out to."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from fakes.registry_server import RegistryServer
from nodeward.core.client import Client
from nodeward.core.errors import NodewardError
from nodeward.core.wallet import NodeClient, Wallet
from support.appliance import ROOT, Supervisord
from support.ports import free_port
from support.until import until

NODES = {"node-a": "127.0.0.1", "node-b": "127.0.0.2"}  # one port, an address each
FLEET = """
- {kind: node, name: node-a, address: 127.0.0.1, groups: [all-of-them, first]}
- {kind: node, name: node-b, address: 127.0.0.2, groups: [all-of-them, second]}
- {kind: group, name: first, delivery: rollout}
- {kind: group, name: second, delivery: rollout}
- {kind: check, name: memory, assign: {groups: [all-of-them]}, plugin: memory, interval: 5s}
"""
UNSTARTABLE = "unstartable"
TEMPLATES = Path("config") / "templates"


class RolledFleet:
    """As a context it is started, and ended with everything it started."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.directory, self.home = directory, directory / "home"
        shutil.copytree(ROOT / "config", self.home / "config")
        shutil.copytree(ROOT / "images", self.home / "images")
        (self.home / "ansible").symlink_to(ROOT / "ansible")
        self._let_tailflog_fail_where_told()
        (directory / "fleet.yaml").write_text(FLEET)
        ports = {name: str(free_port()) for name in ("MONITOR", "NODESERVER", "WEB")}
        self.ports = {f"NODEWARD_{name}_PORT": port for name, port in ports.items()}
        self.config = RegistryServer(
            directory / "config",
            str(directory / "fleet.yaml"),
            NODEWARD_HOME=str(self.home),
            NODEWARD_CONFIGSERVER_HEARTBEAT="1",
            **self.ports,
            **environment,
        )
        self.roles: list[subprocess.Popen[bytes]] = []
        self.nodes: dict[str, Supervisord] = {}

    def __enter__(self) -> Self:
        self.config.start()
        self.start("monitor")
        for name, address in NODES.items():
            self._start_node(name, address)
        until(self._all_well, 90, every=0.3)
        return self

    def __exit__(self, *_: object) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(Supervisord.__exit__, self.nodes.values()))
        for process in self.roles:
            process.terminate()
        self.config.__exit__()
        for process in self.roles:
            process.wait(60)

    def start(self, role: str) -> None:
        """Start another server of the appliance; it ends with the fleet."""
        environment = {**self.config.environment, "NODEWARD_CONFIGSERVER_URL": self.config.url}
        command = [sys.executable, "-m", f"nodeward.{role}.main"]
        self.roles.append(subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL))

    def address(self, role: str) -> str:
        """Where a server answers that `start` has started."""
        return f"http://127.0.0.1:{self.ports[f'NODEWARD_{role.upper()}_PORT']}"

    @property
    def admin(self) -> Client:
        """The config server, asked by an administrator."""
        return self.config.admin

    def var(self, node: str) -> Path:
        """Where a node's state lies."""
        return self.directory / node

    def files(self, node: str) -> dict[str, str]:
        """What lies on a node's disk."""
        folder = self.var(node) / "nodeserver" / "bundle"
        return {path.name: path.read_text() for path in folder.glob("*.json")}

    def newest(self, node: str) -> dict[str, str]:
        """What the config server renders for a node."""
        files: dict[str, str] = self.admin.get(f"/api/v1/nodes/{node}/bundle")["files"]
        return files

    def pids(self, node: str) -> dict[str, int | None]:
        """The processes of a node's programs."""
        return {each.name: each.pid for each in self.nodes[node].programs.list()}

    def interval(self, node: str) -> float:
        """How often a node checks its memory, by the file on its disk."""
        checks = json.loads(self.files(node)["nodeserver.json"])["checks"]
        return float(next(each["interval"] for each in checks if each["service"] == "memory"))

    def apply(self, text: str) -> int:
        """Change the configuration. Return the revision."""
        return int(self.config.apply(text)["revision"])

    def change(self, seconds: float, group: str = "all-of-them") -> int:
        """Let the nodes of a group check their memory that often. Return the revision."""
        return self.apply(
            f"{{kind: check, name: memory, assign: {{groups: [{group}]}}, plugin: memory, interval: {seconds}s}}"
        )

    def template(self, role: str, before: str, after: str) -> None:
        """Replace some text in the template of a role's file."""
        path = self.home / TEMPLATES / role / f"{role}.json.j2"
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))

    def templates_as_they_were(self) -> None:
        """Undo `template`."""
        shutil.copytree(ROOT / TEMPLATES, self.home / TEMPLATES, dirs_exist_ok=True)

    def restart_config(self) -> None:
        """Stop and start the config server, which reads its templates anew."""
        assert self.config.stop() == 0
        self.config.start()

    def play(self, playbook: str, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run a playbook as an operator does."""
        named = {"NODEWARD_URL": self.config.url, "NODEWARD_TOKEN": self.config.secret("cli", "token").strip()}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("NODEWARD_", "ANSIBLE_"))}
        return subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), f"playbooks/{playbook}.yml", *words],
            cwd=ROOT / "ansible",
            env={**kept, **named, "ANSIBLE_NOCOLOR": "1", "COLUMNS": "400", **environment},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def _let_tailflog_fail_where_told(self) -> None:
        """Its files are valid, and yet it will not start with a source named so: what only a health gate finds out."""
        path = self.home / "images" / "node" / "programs" / "tailflog.conf"
        text = path.read_text()
        file = "$NODEWARD_VAR/nodeserver/bundle/tailflog.json"
        guarded = f"sh -c 'grep -qs {UNSTARTABLE} \"{file}\" && exit 1; exec python -m nodeward.tailflog.main'"
        text = text.replace("command=python -m nodeward.tailflog.main", f"command={guarded}")
        path.write_text(text.replace("startretries=5", "startretries=1000"))
        for each in path.parent.glob("*.conf"):
            each.write_text(each.read_text().replace("startsecs=5", "startsecs=1"))

    def nodeward(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run the command line as the one who owns the appliance does."""
        command = [sys.executable, "-m", "nodeward.cli.main", *words]
        return subprocess.run(
            command, env=self.config.environment, capture_output=True, text=True, timeout=240, check=False
        )

    def begin(self, *words: str) -> "subprocess.Popen[str]":
        """Start the command line and do not wait for it; what it says on both streams comes on one."""
        command = [sys.executable, "-m", "nodeward.cli.main", *words]
        return subprocess.Popen(
            command, env=self.config.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def node_server(self, node: str) -> Client:
        """A node's own server, asked by an administrator."""
        port = self.ports["NODEWARD_NODESERVER_PORT"]
        return NodeClient(node, f"http://{NODES[node]}:{port}", Wallet(self.admin), timeout=60.0)

    def _start_node(self, name: str, address: str) -> None:
        (self.directory / name).mkdir()
        self.nodes[name] = Supervisord(
            self.home,
            "node",
            self.var(name),
            NODEWARD_NODE=name,
            NODEWARD_BIND=address,
            NODEWARD_CONFIGSERVER_URL=self.config.url,
            NODEWARD_NODESERVER_ENROL_KEY=self.config.secret("node", "enrol").strip(),
            **self.ports,
        )
        self.nodes[name].__enter__()

    def _all_well(self) -> bool:
        try:
            return all(self.admin.get(f"/api/v1/nodes/{name}/health")["well"] for name in NODES)
        except NodewardError:
            return False


def changed(done: "subprocess.CompletedProcess[str]") -> dict[str, int]:
    """Return how much a playbook says that it changed on each host."""
    lines = done.stdout.rpartition("PLAY RECAP")[2].splitlines()
    found = [line.replace("=", " ").split() for line in lines if "changed=" in line]
    return {words[0]: int(words[words.index("changed") + 1]) for words in found}


def said_by(done: "subprocess.CompletedProcess[str]") -> str:
    """Return what a playbook printed, its lines joined: Ansible breaks long texts where it likes."""
    return " ".join((done.stdout + done.stderr).split())


def settle(fleet: RolledFleet) -> dict[str, Any]:
    """Bring every node to its newest bundle, so that a test begins with nothing left to do. Return the processes of each."""
    fleet.templates_as_they_were()
    looked = fleet.play("rollout")
    assert looked.returncode == 0, looked.stdout + looked.stderr
    return {name: fleet.pids(name) for name in NODES}
