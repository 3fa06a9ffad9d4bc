"""Whom the command line talks to, and as whom.

NODEWARD_URL and NODEWARD_TOKEN name an appliance. Without them it is the one on this machine: its state lies under
NODEWARD_VAR (by default ./var, else the checkout's), the ports are those it was started with, and the token is the secret that
lies there for the command line.
"""

import os
from functools import cache
from pathlib import Path
from typing import Any

from nodeward.core.client import Client
from nodeward.core.errors import ConfigError, Unavailable
from nodeward.core.files import read_secret
from nodeward.core.settings import PORTS, Settings, load
from nodeward.core.wallet import Tickets, Wallet, node_client

SECONDS = 30.0


def config() -> Client:
    """Return the config server's client. Raise ConfigError if there is no token to show it."""
    url = os.environ.get("NODEWARD_URL")
    local = settings()
    return Client(url or local.config_url, _token(local), timeout=SECONDS)


def server(role: str, seconds: float = SECONDS) -> Client:
    """Return the client of another server: where NODEWARD_<ROLE>_URL says it is, else where the config server says."""
    url = os.environ.get(f"NODEWARD_{role.upper()}_URL")
    if url is None:
        client = config()
        url = client.get("/api/v1/servers").get(role)
        if url is None:
            raise Unavailable(f"The config server at {client.url} knows no {role}.")
    return Client(url, _token(settings()), timeout=seconds)


def node(name: str) -> dict[str, Any]:
    """Return a node as the config server knows it. Raise NotFound if it knows none of that name."""
    found: dict[str, Any] = config().get(f"/api/v1/objects/node/{name}")
    return found


def place(where: str, seconds: float = SECONDS) -> Client:
    """Return the client of the server that knows the programs of a place: a node's name (or node:NAME), or a server's role."""
    if where == "configserver":
        return config()
    if where in PORTS and where != "nodeserver":
        return server(where, seconds)
    return node_server(where.removeprefix("node:"), seconds)


def node_server(name: str, seconds: float = SECONDS) -> Client:
    """Return the client of a node's node server, at the address that the config server knows. Raise NotFound if there is none."""
    return node_client(node(name), tickets(), seconds)


@cache
def tickets() -> Tickets:
    """Return the tickets for node servers, which are shown nothing else. Raise ConfigError if there is no token to ask with."""
    return Wallet(config())


@cache
def settings() -> Settings:
    """Return the settings of the appliance on this machine: our environment's, and what it was started with."""
    if "NODEWARD_VAR" not in os.environ:
        os.environ["NODEWARD_VAR"] = str(_var())
    loaded = load(Settings)
    if _takes_after(loaded.var):
        loaded = load(Settings)
    return loaded


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


def _var() -> Path:
    """Return where the state lies if nobody says: ./var, or, where there is none, beside the checkout's script/up."""
    here, there = Path("var"), load(Settings).home / "var"
    return there if not (here / "secrets").exists() and (there / "secrets").exists() else here


def _takes_after(var: Path) -> bool:
    """Take the settings that script/up was started with, where ours say nothing. Return whether there were any."""
    if "NODEWARD_IMAGE" in os.environ or not (var / "run" / "supervisord.pid").exists():
        return False  # a container has them in its environment
    import psutil  # slow to load: only where it is needed

    from nodeward.supervise.machine.processes import supervisord

    running = supervisord(var)
    try:
        theirs = running.environ() if running else {}
    except (psutil.Error, OSError):
        theirs = {}  # another user's
    missing = {name: value for name, value in theirs.items() if name.startswith("NODEWARD_") and name not in os.environ}
    os.environ.update(missing)
    return bool(missing)


def _token(local: Settings) -> str:
    token = os.environ.get("NODEWARD_TOKEN")
    if token:
        return token
    path = local.var / "secrets" / "cli" / "token"
    try:
        there = path.exists()
    except OSError:
        there = True  # and out of reach: reading it says why
    if not there:
        raise ConfigError(
            f"There is no token to show: NODEWARD_TOKEN is not set, and no appliance has its secrets in {path.parent.parent}. "
            "Set NODEWARD_URL and NODEWARD_TOKEN, or NODEWARD_VAR to an appliance's directory on this machine."
        )
    return read_secret(path, "The CLI's token")
