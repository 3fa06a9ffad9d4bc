"""The runbooks' pages in a real browser: the form, the run as it happens for all who watch, its question, the runs that were."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.appliance_in_view import PASSWORD, ApplianceInView
from support.browser import pages
from support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
SECRET = "Sesam-öffne-dich"

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

BOOKS = """
kind: runbook
name: greet
description: Says hello, asks, and says goodbye
parameters:
  who: {description: whom, pattern: '[a-z]+'}
  word: {type: secret, description: the word}
  often: {type: int, default: 2}
  loud: {type: bool, default: false}
  how: {type: choice, choices: [kindly, briefly], default: kindly}
steps:
  - {name: say hello, shell: 'printf "\\033[1;32mhello\\033[0m %s \\033[38;2;200;80;20m%s\\033[0m\\n" "$WHO" "$WORD"',
     env: {WHO: '{{ who }}', WORD: '{{ word }}'}}
  - {ask: {question: 'Say goodbye to {{ who }}?', go_on: ['yes']}}
  - {name: say goodbye, run: [echo, 'goodbye {{ who }} {{ how }}']}
---
kind: runbook
name: endless
steps: [{shell: 'i=0; while :; do echo line $i; i=$((i+1)); sleep 0.05; done'}]
"""


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApplianceInView]:
    with ApplianceInView(tmp_path_factory.mktemp("runbooks"), free_port, "eventlet") as running:
        running.apply(BOOKS)
        yield running


@pytest.fixture
def visit(appliance: ApplianceInView, chromium: Any) -> Iterator[Callable[..., Any]]:
    """Return what logs in and opens a page; afterwards no page may have had an error."""
    with pages(chromium) as empty:

        def visit(path: str, name: str = "admin", **looks: Any) -> Any:
            page = empty(**looks)
            page.goto(f"{appliance.url}/login")
            page.fill("#name", name)
            page.fill("#password", PASSWORD)
            page.click("form button")
            page.wait_for_url(f"{appliance.url}/")
            page.goto(appliance.url + path)
            return page

        yield visit


def sees(page: Any, text: str) -> None:
    """Wait until the terminal shows a text."""
    page.wait_for_function(
        "text => document.querySelector('#terminal .xterm-rows')?.innerText.replaceAll('\\u00a0', ' ').includes(text)",
        arg=text,
    )


def begin(page: Any) -> str:
    """Fill the form in and send it; return the run's address."""
    page.fill("#p-who", "ada")
    page.fill("#p-word", SECRET)
    page.click("#start button.primary")
    page.wait_for_url(re.compile("/runs/local/"))
    return str(page.url)


def test_a_run_is_started_watched_answered_and_played_again(appliance, visit):
    page = visit("/runbooks")
    page.click("text=Runbooks >> nth=0")
    page.click(".books >> text=greet")
    page.wait_for_url("**/runbooks/greet")  # until its scripts run, the form would be sent without them
    page.wait_for_selector(".plan >> text=say goodbye")
    page.fill("#p-who", "ADA")
    page.fill("#p-word", SECRET)
    page.click("#start button.primary")
    page.wait_for_selector("[data-fault='parameters.who'] >> text='ADA' does not match")
    address = begin(page)
    sees(page, "hello ada •••••")
    page.wait_for_selector("#ask >> text=Say goodbye to ada?")
    late = visit(address.removeprefix(appliance.url), "vera")  # from the start, and may not answer
    sees(late, "hello ada •••••")
    late.wait_for_selector("#ask >> text=An operator may answer.")
    assert late.locator("#stop").count() == 0
    page.click("#answers >> text=yes")
    for each in (page, late):
        sees(each, "goodbye ada kindly")
        each.wait_for_selector("#state.succeeded")
        assert each.locator("#ask").is_hidden()
        assert each.locator(".steps .ok").count() == 3
        assert SECRET not in each.content()
        assert SECRET not in each.url
    page.select_option("#speed", "16")
    page.click("#replay")
    sees(page, "succeeded")
    assert b"goodbye ada kindly" in page.request.get(address + "/recording").body()
    assert SECRET not in page.request.get(address + "/output").text()


def test_a_run_is_stopped_and_found_again(appliance, visit):
    page = visit("/runbooks/endless")
    page.click("#start button.primary")
    page.wait_for_url(re.compile("/runs/local/"))
    sees(page, "line 20")
    page.click("#stop")
    page.wait_for_selector("#state.stopped")
    page.wait_for_selector("#detail >> text=Stopped by admin.")
    page.goto(f"{appliance.url}/runbooks")
    page.fill(".filters [name=q]", "line 17")
    page.press(".filters [name=q]", "Enter")
    page.wait_for_url(re.compile(r"[?&]q=line"))  # before, the list shows all runs, this one among them
    page.wait_for_selector(".runs >> text=endless")
    assert page.locator(".runs li").count() == 1
    page.goto(f"{appliance.url}/runbooks?state=failed")
    page.wait_for_selector("text=No runs match.")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_are_for_everybody_and_fit(appliance, visit, theme, tmp_path):
    page = visit("/runbooks/greet", theme=theme)
    address = begin(page).removeprefix(appliance.url)
    page.wait_for_selector("#answers button")
    for width in (1440, 390):
        for path in ("/runbooks", "/runbooks/greet", address):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(appliance.url + path)
            if path == address:
                sees(page, "hello ada")
                page.wait_for_selector("#answers button")
            page.screenshot(path=tmp_path / f"{path.rsplit('/', 1)[-1]}-{width}-{theme}.png")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            page.evaluate(AXE.read_text())
            faults = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
            found = [(fault["id"], [node["html"][:200] for node in fault["nodes"]]) for fault in faults]
            assert found == [], (path, found)
    page.click("#answers >> text=no")
    page.wait_for_selector("#state.failed")
