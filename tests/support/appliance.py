"""A real supervisord, from the product's own base configuration, over programs that a test declares."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

from nodeward.core.errors import NodewardError
from nodeward.supervise.client import Program, Programs
from support.until import until

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "images" / "base" / "supervisord.conf"
SLEEPER = "import time\nwhile True: time.sleep(60)\n"
FAILING = "import sys\nprint('no room for me here', flush=True)\nsys.exit(1)\n"


def write_image(home: Path, image: str, programs: dict[str, str], critical: list[str], **settings: str) -> None:
    """Write `images/<image>` under `home`: each program runs the given Python source."""
    folder = home / "images" / image
    (folder / "programs").mkdir(parents=True)
    (home / "images" / "base").mkdir(exist_ok=True)
    shutil.copy(BASE, home / "images" / "base")
    (folder / "critical").write_text("".join(f"{name}\n" for name in critical))
    more = {
        "priority": "100",
        "startsecs": "1",
        "startretries": "1",
        "stopwaitsecs": "5",
        "autorestart": "true",
        **settings,
    }
    for name, source in programs.items():
        (folder / f"{name}.py").write_text(source)
        lines = [
            f"[program:{name}]",
            f'command=python "%(ENV_NODEWARD_HOME)s/images/{image}/{name}.py"',
            *(f"{key}={value}" for key, value in more.items()),
        ]
        lines += ["redirect_stderr=true", "stdout_logfile=/dev/fd/1", "stdout_logfile_maxbytes=0"]
        (folder / "programs" / f"{name}.conf").write_text("\n".join(lines) + "\n")


class Supervisord:
    """One supervisord over an image, as in a container (its output in `screen`); ended with everything it started."""

    def __init__(self, home: Path, image: str, var: Path, **environment: str) -> None:
        self.programs = Programs(var)
        self.screen = var / "screen"
        for name in ("run", "log"):
            (var / name).mkdir(parents=True, exist_ok=True)
        self._command = [
            sys.executable,
            "-m",
            "supervisor.supervisord",
            "-n",
            "-c",
            str(home / "images/base/supervisord.conf"),
        ]
        self._config = home / "images" / "base" / "supervisord.conf"
        self._environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "NODEWARD_HOME": str(home),
            "NODEWARD_IMAGE": image,
            "NODEWARD_VAR": str(var),
            **environment,
        }

    def __enter__(self) -> Self:
        self._begin()
        until(self.answers)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        finally:
            self.process.kill()

    def run_to_its_end(self) -> int:
        """Start one that ends by itself, maybe before it could be asked anything. Return its exit code."""
        self._begin()
        try:
            return self.process.wait(100)
        finally:
            self.process.kill()

    def _begin(self) -> None:
        with self.screen.open("ab") as screen:
            self.process = subprocess.Popen(
                self._command, env=self._environment, stdout=screen, stderr=screen, stdin=subprocess.DEVNULL
            )

    def answers(self) -> bool:
        """Whether it can be asked. Fail with what it printed if it ended."""
        assert self.process.poll() is None, self.screen.read_text()
        try:
            self.programs.list()
        except NodewardError:
            return False
        return True

    def until_state(self, name: str, state: str, seconds: float = 60) -> Program:
        """Wait until a program is in that state."""
        return until(lambda: found if (found := self.programs.get(name)).state == state else None, seconds)  # type: ignore[return-value]

    def run(self, module: str) -> "subprocess.CompletedProcess[str]":
        """Run a module of the product beside it, in its environment."""
        return self._beside(module)

    def ctl(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run supervisorctl as an operator would."""
        return self._beside("supervisor.supervisorctl", "-c", str(self._config), *command)

    def _beside(self, *module: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", *module],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
