"""A real browser: Debian's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser, once for all tests."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        path = shutil.which("chromium") or shutil.which("chromium-browser")
        started = play.chromium.launch(executable_path=path, args=ARGUMENTS, timeout=120_000)
        yield started
        started.close()
