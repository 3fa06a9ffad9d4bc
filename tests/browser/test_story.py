"""The whole story of the appliance, as a person meets it: script/up, the command line, the pages, a line, a crash.

With NODEWARD_PICTURES set to a directory, the pictures of the README and the docs are taken on the way.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nodeward.core.ports import PORTS
from nodeward.supervise.client import Programs
from support.browser import pages
from support.delays import median_below
from support.ports import free_port
from support.until import until

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("configserver", "logserver", "monitor", "nodeserver", "tailflog", "web")
SOURCE = """
kind: log
name: story
assign: {nodes: [local]}
paths: ["%s"]
format: raw
"""

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


class Appliance:
    """The appliance under `var`, brought up by script/up on ports of its own."""

    def __init__(self, var: Path, ports: list[int]) -> None:
        self.var, self.log = var, var / "story.log"
        self._ports = dict(zip(PORTS, ports, strict=True))
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("NODEWARD_")},
            **{f"NODEWARD_{role.upper()}_PORT": str(port) for role, port in self._ports.items()},
            "NODEWARD_LOGSERVER_SYSLOG_PORT": "0",
            "NODEWARD_VAR": str(var),
        }
        self.url = f"http://127.0.0.1:{self._ports['web']}"

    def script(self, name: str) -> str:
        """Run a script of the project and return what it printed."""
        return self._run([str(ROOT / "script" / name)])

    def nodeward(self, *arguments: str, given: str | None = None) -> Any:
        """Run a reading command of the CLI with `-o json` and return what it printed."""
        return json.loads(self._run([str(ROOT / ".venv/bin/nodeward"), *arguments, "-o", "json"], given))

    def write(self, *lines: str) -> None:
        """Append lines to the followed file."""
        with self.log.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)

    def found(self, word: str) -> list[str]:
        """Return the messages that a search for a word finds."""
        return [record["message"] for record in self.nodeward("logs", "--since", "1h", word)]

    def _run(self, command: list[str], given: str | None = None) -> str:
        done = subprocess.run(
            command, input=given, env=self._environment, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    made = Appliance(tmp_path_factory.mktemp("story"), [free_port() for _ in PORTS])
    made.write("before anybody looked")
    try:
        assert made.url in made.script("up")
        made.nodeward("apply", "-f", "-", given=SOURCE % made.log)
        until(lambda: made.found("looked"), 120)
        yield made
    finally:
        made.script("down")


@pytest.fixture
def page(appliance: Appliance, chromium: Any) -> Iterator[Any]:
    with pages(chromium) as empty:
        opened = empty()
        opened.goto(f"{appliance.url}/login")
        opened.fill("#name", "admin")
        opened.fill("#password", (appliance.var / "secrets" / "admin-password").read_text().strip())
        opened.click("form button")
        opened.wait_for_url(f"{appliance.url}/")
        yield opened


def picture(page: Any, name: str) -> None:
    """Take a picture, where pictures are wanted."""
    folder = os.environ.get("NODEWARD_PICTURES")
    if folder:
        page.wait_for_timeout(1500)
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def test_this_machine_has_more_than_ten_services_with_results(appliance):
    def checked() -> bool:
        services = [row for row in appliance.nodeward("states") if row["service"]]
        return len(services) > 10 and all(row["state"] != "PENDING" for row in services)

    until(checked, 180, every=0.5)


def test_the_overview_says_how_it_stands(appliance, page):
    page.wait_for_selector("h1")
    page.wait_for_selector("#live[data-live=connected]")
    picture(page, "overview")
    page.goto(f"{appliance.url}/nodes/local")
    page.wait_for_selector("li[data-row='local/uptime'] .state.ok")
    picture(page, "node")


def test_a_line_written_to_a_followed_file_is_on_the_page_within_half_a_second(appliance, page):
    page.goto(f"{appliance.url}/logs?source=story")
    page.wait_for_selector("text=before anybody looked")
    page.wait_for_selector("#live[data-live=connected]")

    def seen(number: int) -> None:
        appliance.write(f"the lamp went out {number}.")
        page.wait_for_selector(f"text=the lamp went out {number}.")

    medians = median_below(0.5, 7, seen)
    assert medians[-1] < 0.5, medians
    picture(page, "logs")


def test_the_line_is_found_by_search_on_the_page_and_from_the_command_line(appliance, page):
    appliance.write("a most uncommon pangolin")
    until(lambda: appliance.found("pangolin"))
    page.goto(f"{appliance.url}/logs?q=pangolin&from=1h")
    page.wait_for_selector("text=a most uncommon pangolin")
    assert appliance.found("pangolin") == ["a most uncommon pangolin"]


def test_a_program_that_is_killed_is_healed_and_nothing_is_lost_or_doubled(appliance):
    programs = Programs(appliance.var)
    for name in PROGRAMS:
        appliance.write(f"crash of {name}, before")
        victim = until(lambda name=name: programs.get(name).pid)
        os.kill(victim, signal.SIGKILL)
        appliance.write(f"crash of {name}, after")
        until(lambda name=name, victim=victim: programs.get(name).pid not in (None, victim), 120)
    appliance.script("up")  # waits until all of them answer
    wanted = sorted(f"crash of {name}, {when}" for name in PROGRAMS for when in ("before", "after"))
    until(lambda: sorted(appliance.found("crash")) == wanted, 120, every=0.5)


def test_a_second_up_is_harmless(appliance):
    before = {program.name: program.pid for program in Programs(appliance.var).list()}
    appliance.script("up")
    assert {program.name: program.pid for program in Programs(appliance.var).list()} == before
