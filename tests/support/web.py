"""A browser's side of the web app, for tests that need no browser."""

from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from fakes.fleet import FakeFleet, FleetConfig

PEOPLE = {"vera": "viewer", "otto": "operator", "ada": "admin"}


@dataclass
class Web:
    """The app, the fleet it shows, and how to log in."""

    app: Flask
    config: FleetConfig
    fleet: FakeFleet

    def visitor(self, name: str | None = None) -> FlaskClient:
        """Return a browser, logged in as `name` if given."""
        browser = self.app.test_client()
        if name:
            answer = browser.post("/login", data={"name": name, "password": "right", "csrf": token(browser)})
            assert answer.status_code == 302, answer.text
        return browser


def token(browser: FlaskClient) -> str:
    """Return the token that this browser's pages carry."""
    browser.get("/login")
    with browser.session_transaction() as session:
        return str(session["csrf"])


def post(browser: FlaskClient, path: str, body: dict[str, Any], **headers: str) -> Any:
    """Post as the scripts of our pages do."""
    return browser.post(
        path, json=body, headers={"X-CSRF-Token": token(browser), "Accept": "application/json", **headers}
    )
