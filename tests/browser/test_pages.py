"""The pages in a real browser before the real servers, on eventlet and on threads."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.appliance_in_view import PASSWORD, ApplianceInView
from support.browser import pages, told
from support.ports import free_port
from support.until import until

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

PAGES = [
    "/", "/problems", "/nodes", "/nodes/local", "/nodes/local?tab=graphs", "/nodes/local?tab=history",
    "/nodes/local?tab=logs", "/nodes/local?tab=programs", "/nodes/local?tab=information", "/services/local/lamp",
    "/configuration", "/configuration/check/lamp", "/revisions", "/revisions/1", "/programs", "/rollouts",
    "/notifications", "/audit", "/settings",
]  # fmt: skip
GROUND = "getComputedStyle(document.documentElement).backgroundColor"
ROW = "li[data-row='local/lamp']"


@pytest.fixture(scope="module", params=["eventlet", "threading"])
def appliance(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApplianceInView]:
    with ApplianceInView(tmp_path_factory.mktemp(request.param), free_port, request.param) as running:
        yield running


@pytest.fixture
def bright(appliance: ApplianceInView) -> Iterator[ApplianceInView]:
    """The appliance while all is well; afterwards it is so again."""
    yield appliance
    appliance.turn("OK", "bright")
    until(lambda: appliance.state() == "OK")


@pytest.fixture
def empty(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Return what makes an empty page; afterwards no page may have had an error."""
    with pages(chromium) as empty:
        yield empty


@pytest.fixture
def visit(appliance: ApplianceInView, empty: Callable[..., Any]) -> Callable[..., Any]:
    """Return what logs in and opens a page."""

    def visit(path: str = "/", name: str = "admin", **looks: Any) -> Any:
        page = empty(**looks)
        log_in(appliance, page, name, PASSWORD)
        page.wait_for_url(f"{appliance.url}/")
        if path != "/":
            page.goto(appliance.url + path)
        return page

    return visit


def log_in(appliance: ApplianceInView, page: Any, name: str, password: str) -> None:
    page.goto(f"{appliance.url}/login")
    page.fill("#name", name)
    page.fill("#password", password)
    page.click("form button")


def write(page: Any, editor: Any, text: str) -> None:
    """Type a text in place of what is there."""
    editor.click()
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    page.keyboard.type(text)


def live(page: Any) -> None:
    """Wait until the page hears of changes."""
    page.wait_for_selector("#live[data-live=connected]")


def test_a_wrong_password_is_told_in_a_sentence(appliance, empty):
    page = empty()
    log_in(appliance, page, "admin", "wrong")
    page.wait_for_selector("[role=alert]")
    assert page.input_value("#name") == "admin"
    assert page.input_value("#password") == ""


def test_a_rollout_is_started_and_seen_as_it_goes_also_where_a_node_cannot_go_along(appliance, visit):
    page = visit("/rollouts")
    live(page)
    page.evaluate("window.notReloaded = true")
    page.click("#roll-out")
    page.click("#ask-rollout button.primary")
    page.wait_for_selector("[data-rollout-row] .state.critical")  # here no supervisor has its programs
    assert page.evaluate("window.notReloaded")
    page.click("[data-rollout-row] a")
    page.wait_for_selector("[data-tile=local][data-state=failed] >> text=No supervisor answers")
    page.wait_for_selector("summary >> text=What Ansible said")


def test_a_service_turns_critical_on_every_page_without_reloading(bright, visit):
    overview, node = visit("/"), visit("/nodes/local")
    for page in (overview, node):
        live(page)
        page.evaluate("window.notReloaded = true")
    overview.wait_for_selector("h1 >> text=All is well")
    node.wait_for_selector(f"{ROW} .state.ok")
    bright.turn("CRITICAL", "it is <b>dark</b>")
    node.wait_for_selector(f"{ROW} .state.critical")
    overview.wait_for_selector("h1 >> text=1 problem on 1 of 1 node")
    overview.wait_for_selector(".causes >> text=it is <b>dark</b>")
    overview.wait_for_selector(".rail [data-problem-count] >> text=1")
    for page in (overview, node):
        assert page.evaluate("window.notReloaded")


def test_a_problem_is_acknowledged_from_the_keyboard(bright, visit):
    bright.turn("WARNING", "dim")
    page = visit("/problems")
    live(page)
    page.wait_for_selector(f"{ROW} .state.warning")
    page.keyboard.press("j")
    page.keyboard.press("a")
    page.fill("#ack-comment", "a new bulb is on its way")
    page.keyboard.press("Enter")
    told(page, "Acknowledged: local · lamp.")
    page.wait_for_selector("text=No open problems")
    rows = bright.monitor.get("/api/v1/states", {"node": "local", "service": "lamp"})["items"]
    assert rows[0]["acknowledgement"]["author"] == "admin"
    assert rows[0]["acknowledgement"]["comment"] == "a new bulb is on its way"
    page.click("text=Taken on")
    page.wait_for_selector(f"{ROW} >> text=acknowledged by admin")


def test_a_check_is_run_again_on_its_node_and_its_log_tells_so_live(bright, visit):
    page = visit("/services/local/lamp")
    page.click("text=Check again")
    page.wait_for_selector(".toast:has(.glyph.ok) >> text=local · lamp is OK: bright")
    page.goto(f"{bright.url}/nodes/local?tab=logs&level=all")
    page.wait_for_selector(".log-row >> text=admin asks to run check 'lamp'")
    page.click("text=Check again")
    page.wait_for_selector(".log-row >> text=admin asks to run check '-'")
    page.wait_for_selector(".sources >> text=nodeward")


def test_a_server_that_goes_away_and_comes_back_is_shown_and_nothing_is_missed(bright, visit):
    page = visit("/nodes/local")
    live(page)
    bright.end("monitor")
    page.wait_for_selector("#live[data-live=partly] >> text=monitor away")
    bright.start("monitor")
    page.wait_for_selector("#live[data-live=connected]")
    bright.turn("CRITICAL", "dark again")
    page.wait_for_selector(f"{ROW} >> text=dark again")


def test_a_browser_whose_web_server_was_away_catches_up(bright, visit):
    page = visit("/nodes/local")
    live(page)
    bright.end("web")
    page.wait_for_selector("#live[data-live=offline]")
    bright.turn("CRITICAL", "dark meanwhile")
    until(lambda: bright.state() == "CRITICAL")
    bright.start("web")
    page.wait_for_selector("#live[data-live=connected]")
    page.wait_for_selector(f"{ROW} >> text=dark meanwhile")


def test_the_theme_is_chosen_and_kept(visit):
    page = visit("/settings", theme="light")
    light = page.evaluate(GROUND)
    page.click("main [data-set-theme=dark]")
    dark = page.evaluate(GROUND)
    assert dark != light
    page.reload()
    assert page.get_attribute("html", "data-theme") == "dark"


def test_a_change_is_shown_before_it_is_applied_and_every_fault_at_its_line(appliance, visit):
    page = visit("/configuration/check/lamp")
    editor = page.locator("#editor .cm-content")
    text = appliance.config.get("/api/v1/objects/check/lamp")
    broken = f"kind: check\nname: lamp\nassign: {{nodes: [local]}}\ncommand: {text['command']}\ninterval: never\n"
    write(page, editor, broken)
    page.click("#preview")
    page.wait_for_selector("#faults >> text=interval")
    page.wait_for_selector("#editor .cm-lint-marker-error")
    write(page, editor, broken.replace("never", "2s") + "attempts: 1\nretry: 1s\n")
    page.fill("#why", "less often")
    page.click("#preview")
    page.wait_for_selector("#changes .diff .added")
    page.click("#apply")
    told(page, "Applied by admin")
    page.goto(f"{appliance.url}/revisions")
    page.click("text=less often")
    page.wait_for_selector(".diff .removed")


def test_a_viewer_sees_and_changes_nothing(appliance, visit):
    page = visit("/nodes/local", name="vera")
    page.wait_for_selector(ROW)
    assert page.locator("[data-act]").count() == 0
    page.goto(f"{appliance.url}/audit")
    page.wait_for_selector("text=this needs operator")
    page.goto(f"{appliance.url}/configuration/check/lamp")
    page.wait_for_selector("#editor .cm-content")
    assert page.locator("#apply").count() == 0


def test_an_administrator_makes_a_user_and_a_token_that_works(appliance, visit):
    page = visit("/settings")
    page.fill("[aria-label='Name of the user']", "nina")
    page.fill("[aria-label='Password of the user']", "a long password")
    page.click("text=Save user")
    page.wait_for_selector(".users >> text=nina")
    live(page)  # it was loaded anew: until its scripts run, the other form would be sent without them
    page.fill("[aria-label='What the token is for']", "a script")
    page.click("text=Make a token")
    token = page.wait_for_selector("#token-made:not([hidden]) code").inner_text()
    from nodeward.core.client import Client

    assert Client(appliance.address("configserver"), token).get("/api/v1/objects/node")["items"]


def test_logging_out_ends_this_browser_alone_and_everywhere_ends_all(appliance, visit):
    here, elsewhere, third = visit("/settings"), visit("/"), visit("/problems")
    for page in (here, elsewhere, third):
        live(page)
    elsewhere.click("#who summary")
    elsewhere.click("text=Log out")
    elsewhere.wait_for_url(f"{appliance.url}/login")
    live(third)
    here.click("#end-sessions")
    here.click("#ask [data-go]")
    here.wait_for_url(f"{appliance.url}/login")
    third.wait_for_url(re.compile("/login.ended=1&next=%2Fproblems"))  # it was told: nobody clicked there
    third.wait_for_selector("text=Your login has ended")
    third.fill("#name", "admin")
    third.fill("#password", PASSWORD)
    third.click("form button")
    third.wait_for_url(f"{appliance.url}/problems")


def test_search_leads_to_a_service_from_the_keyboard(visit):
    page = visit("/")
    page.keyboard.press("/")
    page.keyboard.type("lamp")
    page.wait_for_selector("#found a:first-child >> text=lamp")  # what "l" alone finds begins with the node
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/services/local/lamp"))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_has_a_serious_fault_of_accessibility_or_is_wider_than_a_phone(appliance, visit, theme):
    page = visit("/", width=390, theme=theme)
    found = {}
    for path in PAGES:
        page.goto(appliance.url + path)
        live(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        page.evaluate(AXE.read_text())
        faults = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        bad = [
            f"{each['id']}: {each['nodes'][0]['html'][:160]} {each['nodes'][0]['failureSummary'][:200]}"
            for each in faults
            if each["impact"] in ("serious", "critical")
        ]
        if bad:
            found[path] = bad
    assert found == {}


def test_no_program_has_printed_a_traceback(appliance, chromium):
    with pages(chromium) as empty:
        page = empty()
        log_in(appliance, page, "admin", PASSWORD)
        live(page)
    for role in ("web", "monitor", "configserver", "nodeserver", "logserver"):
        assert "Traceback" not in appliance.said(role), appliance.said(role)
