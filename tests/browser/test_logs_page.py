"""The log page in a real browser, in front of a real log server and a real web server."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nodeward.core import clock
from support.browser import pages
from support.delays import median_below
from support.log_page import SECOND, LogPage
from support.until import until

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

MINUTE = 60 * SECOND
ROWS = ".log-row"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogPage]:
    with LogPage(tmp_path_factory.mktemp("logs")) as running:
        yield running


@pytest.fixture(scope="module")
def login(servers: LogPage, chromium: Any) -> Any:
    """Return what a logged-in browser keeps."""
    with pages(chromium) as empty:
        page = empty()
        servers.log_in(page)
        return page.context.storage_state()


@pytest.fixture
def show(servers: LogPage, chromium: Any, login: Any) -> Iterator[Callable[..., Any]]:
    """Return a function that opens the log page at an address; afterwards no page may have had an error."""
    with pages(chromium, storage_state=login) as empty:

        def show(path: str = "/logs", **looks: Any) -> Any:
            page = empty(**looks)
            page.goto(servers.url + path)
            if "range" not in path and "from=" not in path and "/logs/" not in path:
                page.wait_for_selector("#logs-status[data-state=connected]")
            return page

        yield show


def _texts(page: Any) -> list[str]:
    return page.locator(f"{ROWS} .log-text").all_inner_texts()


def _see(page: Any, text: str) -> None:
    page.wait_for_selector(f"{ROWS} >> text={text}")


def _count(page: Any, selector: str) -> int:
    """Return the first number in an element's text."""
    found = re.search(r"[\d,]+", page.locator(selector).inner_text())
    return int(found[0].replace(",", "")) if found else 0


def _scatter(servers: LogPage, source: str, count: int, span: int, ending: int | None = None) -> int:
    """Store `count` lines over the `span` µs before `ending`; return when the last one was."""
    end = ending or clock.now()
    times = [end - span + span * number // count for number in range(count)]
    servers.write(
        ((time, f"{source} line {number}", 3 if number % 10 == 0 else 6) for number, time in enumerate(times)),
        source=source,
    )
    return end


# live


@pytest.mark.alone
def test_a_line_is_in_the_browser_within_half_a_second(servers, show):
    page = show("/logs?source=quick")
    servers.send("the first one", source="quick")
    _see(page, "the first one")

    def seen(number: int) -> None:
        servers.send(f"quick number {number}.", source="quick")
        _see(page, f"quick number {number}.")

    medians = median_below(0.5, 5, seen)
    assert medians[-1] < 0.5, medians


def test_scrolling_up_pauses_and_one_key_goes_on(servers, show):
    servers.send(*(f"old {number}" for number in range(100)), source="paused")
    page = show("/logs?source=paused")
    _see(page, "old 99")
    page.locator("#logs-list").hover()
    page.mouse.wheel(0, -200)
    page.wait_for_selector("#logs-follow[aria-pressed=false]")
    servers.send(*(f"meanwhile {number}" for number in range(7)), source="paused")
    page.wait_for_selector("#logs-new:visible")
    until(lambda: _count(page, "#logs-new") == 7)
    assert not any("meanwhile" in text for text in _texts(page))
    page.keyboard.press("f")
    _see(page, "meanwhile 6")
    assert page.locator("#logs-follow").get_attribute("aria-pressed") == "true"
    assert page.locator("#logs-new").is_hidden()


def test_selecting_text_pauses(servers, show):
    servers.send("select me please", source="selected")
    page = show("/logs?source=selected")
    _see(page, "select me please")
    page.evaluate("() => getSelection().selectAllChildren([...document.querySelectorAll('.log-text')].at(-1))")
    page.wait_for_selector("#logs-follow[aria-pressed=false]")
    servers.send("not now", source="selected")
    page.wait_for_selector("#logs-new:visible")
    assert "select me please" in page.evaluate("() => String(getSelection())")


def test_what_is_typed_filters_what_is_there_and_what_comes(servers, show):
    servers.send("an apple", "a pear", "an apple pie", source="typed")
    page = show("/logs?source=typed")
    _see(page, "a pear")
    page.keyboard.press("/")
    page.keyboard.type("apple")
    page.wait_for_function(
        "() => ![...document.querySelectorAll('.log-text')].some(e => e.textContent.includes('a pear'))"
    )
    page.wait_for_url("**/logs?source=typed&q=apple")
    page.wait_for_selector(".hit >> text=apple")
    servers.send("another pear", "another apple", source="typed")
    _see(page, "another apple")
    assert not any("pear" in text for text in _texts(page))


def test_a_field_that_is_typed_becomes_a_chip(servers, show):
    servers.send("here I am", source="chip", node="web-1")
    servers.send("not wanted", source="chip", node="db-1")
    page = show("/logs?source=chip")
    _see(page, "not wanted")
    page.locator("#logs-q").click()
    page.keyboard.type("node:web-1 ")
    page.wait_for_url("**node=web-1**")
    _see(page, "here I am")
    until(lambda: _texts(page) == ["here I am"])
    page.get_by_label("Remove node web-1").click()
    _see(page, "not wanted")


def test_lines_are_text_whatever_they_hold(servers, show):
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script><a href=javascript:alert(3)>x</a>"
    servers.send(evil, "\x1b[31mred\x1b[0m and \x1b[2J and \x07 and \u202ebackwards", source="evil")
    page = show("/logs?source=evil")
    _see(page, "<img src=x")
    page.wait_for_selector(".ctl >> nth=2")  # the second line is there, too
    assert page.locator(f"{ROWS} .log-text").first.inner_text() == evil
    assert page.locator(f"{ROWS} img, {ROWS} script, {ROWS} .log-text a").count() == 0
    assert page.locator(".ansi-fg-1").first.inner_text() == "red"
    assert page.locator(".ctl").all_inner_texts() == ["^[", "^G", "\\u202e"]
    page.locator(ROWS).first.click()
    page.wait_for_selector(".log-facts")
    assert page.locator("#logs-drawer img, #logs-drawer script").count() == 0


@pytest.mark.alone
def test_a_flood_stays_responsive_and_says_what_was_skipped(servers, show):
    page = show("/logs?source=flood")
    servers.send("before the flood", source="flood")
    _see(page, "before the flood")
    for part in range(20):
        now = clock.now()
        servers.write(((now + number, f"flood {part} {number}", 6) for number in range(5000)), source="flood")
    servers.send("after the flood", source="flood")
    _see(page, "after the flood")

    def turned(number: int) -> None:
        page.keyboard.press("f")
        page.wait_for_selector(f"#logs-follow[aria-pressed={'true' if number % 2 else 'false'}]")

    medians = median_below(1.0, 3, turned)
    assert medians[-1] < 1.0, medians
    if len(medians) % 2 == 0:
        page.keyboard.press("f")
    page.wait_for_selector("#logs-follow[aria-pressed=false]")
    assert page.locator(ROWS).count() < 150
    gaps = page.evaluate("() => document.querySelector('#logs-held').textContent")
    assert int(re.search(r"[\d,]+", gaps)[0].replace(",", "")) <= 5000
    skipped = _all_gaps(page)
    assert skipped
    assert all("open in search" in text for text in skipped)


def _all_gaps(page: Any) -> list[str]:
    """Scroll through everything that is held and return the texts of the gaps."""
    found: dict[str, None] = {}
    page.evaluate("() => { document.querySelector('#logs-list').scrollTop = 1e9; }")
    for _ in range(300):
        for text in page.locator(".log-gap").all_inner_texts():
            found[text] = None
        top = page.evaluate(
            "() => { const list = document.querySelector('#logs-list');"
            " const at = list.scrollTop; list.scrollTop -= list.clientHeight * 1.5; return at; }"
        )
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        if top <= 0 or len(found) >= 1:
            break
    return list(found)


def test_a_gap_opens_exactly_what_was_skipped(servers, show):
    page = show("/logs?source=gap")
    servers.send("gap begins", source="gap")
    _see(page, "gap begins")
    now = clock.now()
    servers.write(((now + number, f"in the gap {number}", 6) for number in range(2000)), source="gap")
    page.wait_for_selector(f"{ROWS} >> text=in the gap 1999")
    page.keyboard.press("f")
    page.evaluate("() => { document.querySelector('#logs-list').scrollTop = 0; }")
    page.wait_for_selector(".log-gap")
    skipped = _count(page, ".log-gap >> nth=0")
    page.locator(".log-gap a").first.click()
    page.wait_for_url("**from=**")
    until(lambda: _count(page, "#logs-total") == skipped)


def test_a_hidden_tab_catches_up_without_gap_or_repeat(servers, show):
    page = show("/logs?source=hidden")
    servers.send("one", source="hidden")
    _see(page, "one")
    _hide(page, True)
    servers.send("two", "three", source="hidden")
    until(lambda: len(servers.client.get("/api/v1/logs", {"source": "hidden"})["items"]) == 3)
    _hide(page, False)
    _see(page, "three")
    servers.send("four", source="hidden")
    _see(page, "four")
    assert _texts(page) == ["one", "two", "three", "four"]


def _hide(page: Any, hidden: bool) -> None:
    page.evaluate(
        "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


# search


def test_a_word_is_found_with_its_hits_marked(servers, show):
    servers.send("nothing here", "the zebra crossed", source="words")
    page = show("/logs?source=words&range=1h&q=zebra")
    _see(page, "the zebra crossed")
    assert _texts(page) == ["the zebra crossed"]
    assert page.locator(".hit").inner_text() == "zebra"
    until(lambda: _count(page, "#logs-total") == 1)  # it is counted apart


def test_older_lines_come_when_scrolled_to(servers, show):
    _scatter(servers, "older", 1000, 30 * MINUTE)
    page = show("/logs?source=older&range=1h")
    _see(page, "older line 999")
    page.locator("#logs-list").hover()
    until(lambda: (page.mouse.wheel(0, -20000), page.locator(f"{ROWS} >> text=/older line 0$/").count())[1] > 0)
    assert _count(page, "#logs-held") == 1000


def test_dragging_over_the_histogram_narrows_the_range(servers, show):
    _scatter(servers, "drag", 600, 50 * MINUTE)
    page = show("/logs?source=drag&range=1h")
    until(lambda: _count(page, "#logs-total") == 600)
    box = page.locator("#logs-histogram").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 20, steps=5)
    page.mouse.up()
    page.wait_for_url("**from=**")
    until(lambda: 120 <= _count(page, "#logs-total") <= 170)
    page.go_back()
    until(lambda: _count(page, "#logs-total") == 600)


def test_a_link_to_a_line_opens_it_in_its_context(servers, show):
    _scatter(servers, "linked", 400, 10 * MINUTE)
    [found] = servers.client.get("/api/v1/logs", {"source": "linked", "q": '"line 200"'})["items"]
    page = show(f"/logs/{found['id']}")
    page.wait_for_selector(".log-row[aria-selected=true] >> text=linked line 200")
    assert {"linked line 199", "linked line 201"} <= set(_texts(page))
    page.wait_for_selector(".log-facts")
    assert page.locator("#logs-drawer .log-full").first.inner_text() == "linked line 200"


def test_the_context_of_a_found_line_is_one_key_away(servers, show):
    servers.send("before it", "the needle", "after it", source="context")
    page = show("/logs?source=context&range=1h&q=needle")
    _see(page, "the needle")
    page.locator(ROWS).first.click()
    page.wait_for_selector(".log-facts")
    page.keyboard.press("c")
    page.wait_for_selector(".log-row[aria-selected=true] >> text=the needle")
    until(lambda: _texts(page) == ["before it", "the needle", "after it"])
    page.get_by_role("button", name="Back to the results").click()
    until(lambda: _texts(page) == ["the needle"])


def test_a_very_long_line_is_cut_with_all_of_it_at_hand(servers, show):
    servers.send("begin " + "x" * 200_000 + " end", source="long")
    page = show("/logs?source=long&range=1h")
    page.wait_for_selector(".log-badge")
    page.locator(ROWS).first.click()
    page.get_by_role("button", name="Show all 200,010 characters").click()
    assert page.locator("#logs-drawer .log-full").first.inner_text().endswith(" end")


def test_a_wrong_pattern_is_told_in_a_sentence(servers, show):
    page = show("/logs?range=1h&q=/a(b/")
    page.wait_for_selector("#logs-error:visible")
    assert "RE2" in page.locator("#logs-error").inner_text()
    live = show("/logs?range=1h")
    live.goto(servers.url + "/logs?q=/a(b/")
    live.wait_for_selector("#logs-error:visible")
    assert "RE2" in live.locator("#logs-error").inner_text()


def test_nothing_found_says_what_to_do(servers, show):
    page = show("/logs?range=15m&q=unobtainium")
    page.wait_for_selector("#logs-empty:visible")
    assert "No lines found" in page.locator("#logs-empty").inner_text()
    page.get_by_role("button", name="Remove all filters").click()
    page.wait_for_url(f"{servers.url}/logs?range=15m")


# everybody


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("path", ["/logs?source=axe", "/logs?source=axe&range=1h", "/logs?source=nobody&range=1h"])
def test_axe_finds_nothing_serious(servers, show, width, path):
    servers.send(*(f"accessible {number}" for number in range(50)), source="axe", level=3)
    page = show(path, width=width)
    page.wait_for_selector(f"{ROWS}, #logs-empty:visible")
    if "axe" in path:
        page.locator(ROWS).last.click()
        page.wait_for_selector(".log-facts")
    page.evaluate(AXE.read_text())
    result = page.evaluate("() => axe.run({ resultTypes: ['violations'] })")
    serious = [found for found in result["violations"] if found["impact"] in ("serious", "critical")]
    assert [(found["id"], [node["html"][:200] for node in found["nodes"][:3]]) for found in serious] == []


def test_a_phone_shows_lines_without_scrolling_sideways(servers, show):
    servers.send("a line that is long enough to need more than the width of a phone " * 4, source="phone")
    page = show("/logs?source=phone", width=390, height=844)
    _see(page, "a line that is long enough")
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    page.locator(ROWS).last.click()
    page.wait_for_selector(".log-facts")
    page.get_by_label("Close").click()
    assert page.locator("#logs-drawer").is_hidden()


def test_a_search_is_downloaded_as_text_and_as_json(servers, show):
    _scatter(servers, "saved", 1500, 10 * MINUTE)
    page = show("/logs?source=saved&range=1h")
    _see(page, "saved line 1499")
    get = page.context.request.get
    links = {name: page.locator(f"#logs-download-{name}").get_attribute("href") for name in ("text", "ndjson")}
    text = get(servers.url + links["text"])
    assert [row.rsplit(" ", 1)[1] for row in text.text().splitlines()] == [str(number) for number in range(1500)]
    assert "attachment" in text.headers["content-disposition"]
    rows = [json.loads(row) for row in get(servers.url + links["ndjson"]).text().splitlines()]
    assert [row["message"] for row in rows] == [f"saved line {number}" for number in range(1500)]
    wrong = get(f"{servers.url}/logs/download?format=pdf&nodes=a")
    assert wrong.status == 422
