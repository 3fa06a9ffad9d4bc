"""The composed appliance, under a project name of its own and on ports that Docker chooses."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from nodeward.core.client import Client
from support.appliance import ROOT

VAR = "/var/lib/nodeward"
CHECK = "nodeward.supervise.health"
ROLES = ("WEB", "CONFIGSERVER", "LOGSERVER", "MONITOR", "LOGSERVER_SYSLOG")
SECONDS = 900  # a bound for hangs alone: building is a part


class Composed:
    """As a context it is built and started, and taken away with its volumes and images."""

    def __init__(self, store: str) -> None:
        self.project = f"nodeward-test-{os.getpid()}-{store}"
        self.store = store
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("NODEWARD_", "COMPOSE_"))}
        chosen = {f"NODEWARD_{role}_PORT": "0" for role in ROLES}
        if store == "mongodb":
            chosen |= {"NODEWARD_STORE": "mongodb://mongodb/nodeward", "COMPOSE_PROFILES": "mongodb"}
        self.environment = {**kept, **chosen, "BUILDKIT_PROGRESS": "plain"}

    def __enter__(self) -> Self:
        try:
            self.compose("up", "--build", "--detach", "--wait", "--wait-timeout", "600")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.compose("down", "--volumes", "--timeout", "20")
        if built := self.images():
            _docker("image", "rm", "--force", *built)
        assert self.compose("ps", "--all", "--quiet").stdout == ""
        assert self.images() == []

    def images(self) -> list[str]:
        """Return the images that were built for it."""
        mine = f"label=com.docker.compose.project={self.project}"
        return sorted(set(_docker("image", "ls", "--all", "--quiet", "--no-trunc", "--filter", mine).split()))

    def compose(self, *words: str, check: bool = True, given: str | bytes = "") -> "subprocess.CompletedProcess[str]":
        """Run `docker compose` to its end, with so much on its standard input."""
        ended = subprocess.run(
            self._command(*words),
            cwd=ROOT,
            env=self.environment,
            input=given.encode() if isinstance(given, str) else given,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        done = subprocess.CompletedProcess(ended.args, ended.returncode, ended.stdout.decode(), ended.stderr.decode())
        assert done.returncode == 0 or not check, f"{words}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done

    def exec(self, service: str, *command: str, check: bool = True, given: str | bytes = "") -> str:
        """Run a command in a container; return what it printed."""
        return self.compose("exec", "-T", service, *command, check=check, given=given).stdout

    def begin(self, service: str, *command: str) -> "subprocess.Popen[str]":
        """Start a command in a container and do not wait for it; what it says on both streams comes on one."""
        return subprocess.Popen(
            self._command("exec", "-T", service, *command),
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def nodeward(self, *words: str, check: bool = True, given: str | bytes = "") -> "subprocess.CompletedProcess[str]":
        """Run the command line as the how-to pages say."""
        return self.compose("exec", "-T", "configserver", "nodeward", *words, check=check, given=given)

    def container(self, service: str) -> dict[str, Any]:
        """What Docker knows of the container, running or not."""
        found: dict[str, Any] = json.loads(
            _docker("inspect", self.compose("ps", "--all", "--quiet", service).stdout.strip())
        )[0]
        return found

    def healthy(self, service: str) -> bool:
        """Whether Docker says so and it is so at this moment, too: Docker looks only now and then."""
        state = self.container(service)["State"]
        if not state["Running"] or state["Health"]["Status"] != "healthy":
            return False
        return self.compose("exec", "-T", service, "python", "-m", CHECK, check=False).returncode == 0

    def client(self, service: str, port: int) -> Client:
        """A client of a server, from this machine, as the administrator that the command line is."""
        address = self.compose("port", service, str(port)).stdout.strip()
        return Client(f"http://{address}", self._token(), timeout=60.0)

    def play(self, playbook: str, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run a playbook on this machine, as an operator with a token does; the nodes' ports are not published."""
        named = {"NODEWARD_URL": self.client("configserver", 7401).url, "NODEWARD_TOKEN": self._token()}
        return subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), f"playbooks/{playbook}.yml", *words],
            cwd=ROOT / "ansible",
            env={**self.environment, **named, "ANSIBLE_NOCOLOR": "1", **environment},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def _token(self) -> str:
        return self.exec("configserver", "cat", f"{VAR}/secrets/cli/token").strip()

    def _command(self, *words: str) -> list[str]:
        return ["docker", "compose", "--project-name", self.project, *words]


def _docker(*words: str) -> str:
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True, timeout=SECONDS).stdout
