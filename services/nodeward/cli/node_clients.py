"""The node servers, as the command line asks them: found by the config server, one or all at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import click

from nodeward.cli import session
from nodeward.core.errors import NodewardError, NotFound
from nodeward.core.wallet import NodeClient, node_client

Value = TypeVar("Value")
Node = dict[str, Any]

AT_ONCE = 16
QUICK_SECONDS = 5.0


def nodes() -> list[Node]:
    """Return the nodes that have a node server."""
    return [each for each in session.config().get("/api/v1/find")["items"] if each.get("agent", True)]


def client(node: Node, timeout: float = session.SECONDS) -> NodeClient:
    """Return the client of a node's node server. Raise Unavailable if nobody knows where it is."""
    return node_client(node, session.tickets(), timeout)


def named(name: str | None) -> Node:
    """Return a node by its name; without one, this machine's, else the only one there is."""
    known = {each["name"]: each for each in nodes()}
    if name is not None:
        if name not in known:
            raise NotFound(f"There is no node '{name}' with a node server. There are: {', '.join(known) or 'none'}.")
        return known[name]
    own = session.settings().node
    if own in known:
        return known[own]
    if len(known) == 1:
        return next(iter(known.values()))
    raise click.UsageError(f"Say on which node: --node {'|'.join(known) or 'NAME'}")


def all_at_once(asked: list[Node], ask: Callable[[NodeClient], Value]) -> tuple[dict[str, Value], dict[str, str]]:
    """Ask several node servers at the same time. Return the answers by node, and of those that gave none the sentence."""
    answers: dict[str, Value] = {}
    silent: dict[str, str] = {}

    def one(node: Node) -> None:
        try:
            answers[node["name"]] = ask(client(node, QUICK_SECONDS))
        except NodewardError as error:
            silent[node["name"]] = error.detail

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, asked))
    return answers, silent
