"""Several logs side by side in a real browser, in front of a real log server and a real web server."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nodeward.core import clock
from support.browser import pages
from support.log_page import SECOND, LogPage
from support.until import until

AXE = Path(__file__).resolve().parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
MINUTE = 60 * SECOND

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogPage]:
    with LogPage(tmp_path_factory.mktemp("split")) as running:
        yield running


@pytest.fixture
def show(servers: LogPage, chromium: Any) -> Iterator[Callable[..., Any]]:
    """Return a function that logs in and opens an address; afterwards no page may have had an error."""
    with pages(chromium) as empty:

        def show(path: str, **looks: Any) -> Any:
            page = empty(**looks)
            servers.log_in(page)
            page.goto(servers.url + path)
            page.wait_for_selector("#live[data-live=connected]")
            return page

        yield show


def _pane(page: Any, number: int) -> Any:
    return page.locator(f".pane:nth-of-type({number})")


def _texts(page: Any, number: int) -> list[str]:
    return _pane(page, number).locator(".log-row .log-text").all_inner_texts()


def _panes(page: Any) -> list[str]:
    return page.evaluate("new URLSearchParams(location.search).getAll('pane')")


def test_each_log_has_its_own_filter_and_the_link_holds_them_all(servers, show):
    page = show("/logs/split?pane=source:left&pane=source:right level:warning&pane=source:left")
    servers.send("to the left", source="left")
    servers.send("to the right", source="right", level=4)
    servers.send("not for anybody", source="right", level=6)
    for pane, text in ((1, "to the left"), (2, "to the right"), (3, "to the left")):
        until(lambda pane=pane, text=text: _texts(page, pane) == [text])
    _pane(page, 3).get_by_role("button", name="Close log 3").click()
    servers.send("to the left again", source="left")  # the first one looks at the same as the one that was closed
    until(lambda: _texts(page, 1) == ["to the left", "to the left again"])
    _pane(page, 1).locator(".pane-query").fill("source:left again")
    until(lambda: _panes(page) == ["source:left again", "source:right level:warning"])
    until(lambda: _texts(page, 1) == ["to the left again"])
    again = show(page.url.removeprefix(servers.url))
    until(lambda: _texts(again, 1) == ["to the left again"] and _texts(again, 2) == ["to the right"])


def test_all_logs_have_one_clock(servers, show):
    end = clock.now() - MINUTE
    times = [end - MINUTE + number * SECOND // 4 for number in range(240)]
    servers.write(((time, f"even {number}", 6) for number, time in enumerate(times) if number % 2 == 0), source="even")
    servers.write(((time, f"odd {number}", 6) for number, time in enumerate(times) if number % 2), source="odd")
    page = show("/logs/split?pane=source:even&pane=source:odd&range=15m")
    until(lambda: "even 238" in _texts(page, 1) and "odd 239" in _texts(page, 2))
    page.keyboard.press("1")
    for _ in range(4):
        page.keyboard.press("k")
    chosen = page.locator(".log-row[aria-selected=true] .log-text")
    until(lambda: chosen.all_inner_texts() == ["even 232", "odd 231"])
    _pane(page, 2).locator(".log-list").hover()
    page.mouse.wheel(0, -5000)
    until(lambda: "odd 1" in _texts(page, 2) and "even 2" in _texts(page, 1))


def test_reading_in_one_pauses_all_and_one_key_goes_on(servers, show):
    servers.send(*(f"old {number}" for number in range(60)), source="talk")
    page = show("/logs/split?pane=source:talk&pane=source:quiet")
    until(lambda: "old 59" in _texts(page, 1))
    _pane(page, 1).locator(".log-list").hover()
    page.mouse.wheel(0, -200)
    page.wait_for_selector("#split-follow[aria-pressed=false]")
    servers.send("for the other", source="quiet")
    _pane(page, 2).locator(".log-new >> text=1 new").wait_for()
    assert _texts(page, 2) == []
    page.keyboard.press("f")
    until(lambda: _texts(page, 2) == ["for the other"])
    page.wait_for_selector("#split-follow[aria-pressed=true]")


def test_it_is_reached_and_worked_by_the_keyboard(servers, show):
    servers.send("once", source="keys")
    page = show("/logs?source=keys")
    page.wait_for_selector(".log-row")
    page.keyboard.press("s")
    page.wait_for_selector(".pane:nth-of-type(2)")
    assert _panes(page) == ["source:keys", ""]
    page.keyboard.press("+")
    page.keyboard.type("level:error")
    until(lambda: _panes(page) == ["source:keys", "", "level:error"])
    page.keyboard.press("Escape")
    assert _pane(page, 3).locator(".pane-query").input_value() == "level:error"
    page.keyboard.press("-")
    until(lambda: _panes(page) == ["source:keys", ""])
    page.go_back()
    until(lambda: page.locator(".pane").count() == 3)
    until(lambda: _texts(page, 1) == ["once"])  # it was built anew
    page.keyboard.press("1")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/logs/[^/?]+$"))
    page.wait_for_selector(".log-row[aria-selected=true] >> text=once")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_on_a_phone_they_stand_one_below_the_other_and_axe_finds_nothing_serious(servers, show, theme):
    servers.send(*(f"a line {number} that is longer than a phone is wide " * 3 for number in range(9)), source="phone")
    for width in (390, 1440):
        page = show("/logs/split?pane=source:phone&pane=source:nobody&pane=level:error", width=width, theme=theme)
        until(lambda page=page: len(_texts(page, 1)) > 0)
        tops = {round(_pane(page, number).bounding_box()["y"]) for number in (1, 2, 3)}
        assert len(tops) == (3 if width == 390 else 1)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.evaluate(AXE.read_text())
        faults = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        assert [each["id"] for each in faults if each["impact"] in ("serious", "critical")] == []
