"""Whom the command line talks to, and as whom."""

import os
from typing import Any

from nodeward.core.client import Client
from nodeward.core.errors import ConfigError, Unavailable
from nodeward.core.files import read_secret
from nodeward.core.settings import Settings, load


def config() -> Client:
    """Return the config server's client. Raise ConfigError if there is no token to show it."""
    settings = load(Settings)
    return Client(os.environ.get("NODEWARD_URL") or settings.config_url, _token(settings), timeout=30.0)


def server(role: str) -> Client:
    """Return the client of another server (logserver, monitor), where the config server says it is."""
    client = config()
    urls = client.get("/api/v1/servers")
    if role not in urls:
        raise Unavailable(f"The config server at {client.url} knows no {role}.")
    return Client(urls[role], _token(load(Settings)), timeout=30.0)


def pages(client: Client, path: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all rows of a list, page after page."""
    rows: list[dict[str, Any]] = []
    cursor = None
    while True:
        answer = client.get(path, {**query, "cursor": cursor, "limit": 1000})
        rows += answer["items"]
        cursor = answer.get("next")
        if cursor is None:
            return rows


def _token(settings: Settings) -> str:
    """NODEWARD_TOKEN; on the appliance's own machine, the secret that lies there for the CLI."""
    token = os.environ.get("NODEWARD_TOKEN")
    if token:
        return token
    path = settings.var / "secrets" / "cli" / "token"
    if not path.exists():
        raise ConfigError(
            f"There is no token to show: NODEWARD_TOKEN is not set, and no appliance has its secrets in {path.parent.parent}. "
            "Set NODEWARD_URL and NODEWARD_TOKEN, or NODEWARD_VAR to an appliance's directory on this machine."
        )
    return read_secret(path, "The CLI's token")
