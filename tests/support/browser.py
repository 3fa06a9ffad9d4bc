"""Pages in a real browser, each with a context of its own: none may have had an error, and all of them end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from support.until import until

BOUND = 60_000  # milliseconds for any step: for what hangs alone, on the slowest machine
POLICY = "Content Security Policy"
# What a page told in a toast, which is gone after a moment whether or not anybody has looked.
TOLD = """
  window.told = [];
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes)
      for (const node of addedNodes) if (node.matches?.(".toast")) window.told.push(node.innerText);
  }).observe(document, { subtree: true, childList: true });
"""


@contextmanager
def pages(chromium: Any, **kept: Any) -> Iterator[Callable[..., Any]]:
    """Give what makes an empty page (`kept` is what its browser has from before).

    Afterwards none may have had an error, opened a dialog of the browser's own, or broken the policy of its server.
    """
    contexts: dict[str, Any] = {}
    errors: list[str] = []

    def stopped(dialog: Any) -> None:
        errors.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def page(width: int = 1440, height: int = 900, theme: str = "light") -> Any:
        viewport = {"width": width, "height": height}
        context = chromium.new_context(viewport=viewport, color_scheme=theme, **kept)
        context.set_default_timeout(BOUND)
        context.add_init_script(TOLD)
        made = context.new_page()
        contexts[_name(context, made)] = context
        made.on("pageerror", lambda error: errors.append(str(error)))
        made.on("console", lambda said: errors.append(said.text) if POLICY in said.text else None)
        made.on("dialog", stopped)
        return made

    try:
        yield page
    finally:
        for name, context in contexts.items():
            _close(name, context)
    assert errors == []


def told(page: Any, text: str) -> None:
    """Wait until a page has told that in a toast, be it gone by now."""
    page.wait_for_function("text => window.told.some((each) => each.includes(text))", arg=text)


def _name(context: Any, page: Any) -> str:
    """Return what Chromium calls a context."""
    session = context.new_cdp_session(page)
    info = session.send("Target.getTargetInfo")["targetInfo"]
    session.detach()
    return str(info["browserContextId"])


def _close(name: str, context: Any) -> None:
    """Close a context and its pages, whatever these are just then doing.

    Chromium forgets to close a page that gets another document at the same moment (crbug.com/536385539), and Playwright, which
    asks for it once, would wait forever. So it is asked for until the page is gone.
    """
    from playwright.sync_api import Error

    session = context.browser.new_browser_cdp_session()

    def gone() -> bool:
        targets = session.send("Target.getTargets")["targetInfos"]
        left = [each["targetId"] for each in targets if each.get("browserContextId") == name and each["type"] == "page"]
        for each in left:
            with suppress(Error):  # it has just gone
                session.send("Target.closeTarget", {"targetId": each})
        return not left

    until(gone, every=0.02)
    session.detach()
    context.close()
