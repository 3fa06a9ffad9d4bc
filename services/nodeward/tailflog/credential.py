"""What an ad-hoc run shows to the log server, and for which node that speaks."""

import os
from collections.abc import Callable
from pathlib import Path

from nodeward.core.client import Client
from nodeward.core.errors import BadInput, ConfigError, NodewardError, NotAuthenticated
from nodeward.core.files import read_secret
from nodeward.core.settings import Settings

WHOAMI = "/api/v1/whoami"
LAG = 5.0  # seconds that a log server may take to hear of a new token
PAUSE = 1.0  # seconds between two tries


def token(given: Path | None, settings: Settings) -> str:
    """Return the token: the file that is `given`, else NODEWARD_TOKEN, else the one of this machine's node server.

    Raise ConfigError, saying where it was looked for, if there is none.
    """
    if given is not None:
        return read_secret(given, "The token (--token-file)")
    if told := os.environ.get("NODEWARD_TOKEN", "").strip():
        return told
    path = settings.var / "secrets" / "nodeserver" / "token"
    try:
        return read_secret(path, "The token of this node")
    except ConfigError as error:
        raise ConfigError(
            "There is no token to show. Give --token-file FILE or set NODEWARD_TOKEN "
            f"(`nodeward token create NAME --role node --node NODE` makes one). {error}"
        ) from None


def node(client: Client, named: str | None, wait: Callable[[float], bool], say: Callable[[str], None]) -> str | None:
    """Ask the log server whose the token is. Return the node to speak for, None where neither it nor `named` says.

    What is passing is tried again until `wait` says that the program shall end, which also returns None; where the node is
    `named`, there is no need to wait for a server that is away. Raise NodewardError if the token is refused, or is another
    node's.
    """
    said, waited = "", 0.0
    while True:
        try:
            return _agreed(client.get(WHOAMI), named)
        except NodewardError as error:
            passing = error.retry or (isinstance(error, NotAuthenticated) and waited < LAG)
            if not passing:
                raise
            if error.retry and named:
                return named
            if str(error) != said:
                said = str(error)
                say(f"The log server is asked again until it answers: {said}")
        waited += PAUSE
        if wait(PAUSE):
            return None


def _agreed(who: dict[str, str | None], named: str | None) -> str | None:
    own = who.get("node")
    if own and named and own != named:
        raise BadInput(
            f"The token speaks for node '{own}', not for '{named}'. Leave --node out, or show another token."
        )
    return own or named
