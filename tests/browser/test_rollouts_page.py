"""A rollout from the page in a real browser: the real playbook, two nodes' own programs under their supervisors."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fakes.fleet import wait_until_ready
from support.appliance_in_view import PASSWORD
from support.browser import pages
from support.rolled_fleet import NODES, RolledFleet
from support.until import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

STEPS = ["due", "staged", "applied", "healthy"]
# Note every state of every node that the page comes to show, in order: [node, state].
WATCH = """() => {
  window.seen = [];
  const shown = {};
  const look = () => document.querySelectorAll("[data-tile]").forEach(({ dataset: { tile, state } }) => {
    if (shown[tile] !== state) window.seen.push([tile, (shown[tile] = state)]);
  });
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
}"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RolledFleet]:
    with RolledFleet(tmp_path_factory.mktemp("rolled"), NODEWARD_ADMIN_PASSWORD=PASSWORD) as started:
        started.start("web")
        wait_until_ready(started.address("web"))
        yield started


@pytest.fixture
def visit(fleet: RolledFleet, chromium: Any) -> Iterator[Callable[[], Any]]:
    """Return what logs in and opens the page; afterwards it may have had no error."""
    with pages(chromium) as empty:

        def visit() -> Any:
            page = empty()
            page.goto(f"{fleet.address('web')}/login?next=/rollouts")
            page.fill("#name", "admin")
            page.fill("#password", PASSWORD)
            page.click("form button")
            page.wait_for_selector("#live[data-live=connected]")
            page.evaluate("window.notReloaded = true")
            page.evaluate(WATCH)
            return page

        yield visit


def roll_out(page: Any, number: int) -> list[list[str]]:
    """Roll out from the dialog, one node first, until the page says that it is done. Return what the tiles showed meanwhile."""
    page.evaluate("window.seen.length = 0")
    page.click("#roll-out")
    page.fill("#rollout-canary", "1")
    page.click("#ask-rollout button.primary")
    page.wait_for_selector(f"[data-rollout='{number}'][data-state=running]")
    assert page.is_disabled("#roll-out")
    page.wait_for_selector(f"[data-rollout='{number}'][data-state=done]", timeout=180_000)
    assert page.evaluate("window.notReloaded")
    seen: list[list[str]] = page.evaluate("window.seen")
    return seen


def revisions(page: Any) -> dict[str, list[int | None]]:
    """What the page says each node runs, is handed, and could have."""
    numbers = {node: page.locator(f"[data-node-row={node}] td.number").all_inner_texts() for node in NODES}
    return {node: [int(text) if text.isdecimal() else None for text in texts] for node, texts in numbers.items()}


def test_a_rollout_is_followed_node_by_node_and_the_next_has_nothing_to_change(
    fleet: RolledFleet, visit: Callable[[], Any]
) -> None:
    until(lambda: all(row["running"] for row in fleet.admin.get("/api/v1/delivery")["items"]))
    wanted = fleet.change(7)
    page = visit()
    page.wait_for_selector("text=2 of 2 nodes wait for one")
    until(lambda: revisions(page) == {node: [wanted - 1, wanted - 1, wanted] for node in NODES})

    seen = roll_out(page, 1)
    for node in NODES:
        states = [state for each, state in seen if each == node]
        assert states == sorted(set(states), key=STEPS.index) and states[-1] == "healthy"
        assert {"staged", "applied"} & set(states)  # a busy page may show the two as one
    began = min(seen.index(["node-b", state]) for state in ("staged", "applied") if ["node-b", state] in seen)
    assert seen.index(["node-a", "healthy"]) < began
    page.wait_for_selector("[data-tile=node-b][data-state=healthy] >> text=started anew: nodeserver")
    page.wait_for_selector("text=no node waits for one")
    until(lambda: revisions(page) == {node: [wanted] * 3 for node in NODES})
    assert [fleet.interval(node) for node in NODES] == [7, 7]

    assert roll_out(page, 2)[-1][1] == "current"
    page.wait_for_selector("[data-rollout='2'] >> text=Nothing was changed")
    page.wait_for_selector("[data-rollout-row='2'] >> text=2 current")
    assert revisions(page) == {node: [wanted] * 3 for node in NODES}
    page.click("[data-rollout-row='1'] a")
    page.wait_for_selector("summary >> text=What changed on node-b")
