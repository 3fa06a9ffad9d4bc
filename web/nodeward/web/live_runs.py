"""Rooms of runs: each follows one run's journal at its node, from the place the browser has read to."""

import time
from collections.abc import Callable
from typing import Any

from nodeward.core.client import Client
from nodeward.core.errors import BadInput, Unavailable
from nodeward.web.backends import Backends
from nodeward.web.live import Live, Page, Topic, key

WAIT_SECONDS = 10
PAUSE_SECONDS = 1.0  # where the node lets nobody wait: too many watch there, or the run has ended
ENDS = ("succeeded", "failed", "stopped", "interrupted")


def mount(live: Live, backends: Backends) -> None:
    """Register the kind `run` (filters node, id). A browser reads what there is by HTTP and joins with the cursor behind it."""

    def topic(filters: dict[str, str]) -> Topic:
        if filters.keys() != {"node", "id"}:
            raise BadInput("A room of a run has the filters node and id.")

        def client() -> Client:
            # A room is shared: it reaches as far as the least of those who may watch it.
            return backends.node(filters["node"]).acting_for("live", "viewer")

        try:
            client().get(f"/api/v1/runs/{filters['id']}")
        except Unavailable:
            pass  # the bridge says so, and follows when it is back; what is not there is refused
        name = key("run", filters.items())
        return Topic(name, name, f"node {filters['node']}", journal_after(client, filters["id"]))

    live.register("run", topic)


def journal_after(client: Callable[[], Client], run: str) -> Callable[[str | None, float], Page]:
    """Return what follows a run: `GET runs/{id}/output?after=&wait=`."""

    def follow(after: str | None, wait: float) -> Page:
        asked = min(int(wait), WAIT_SECONDS)
        began = time.monotonic()
        query: dict[str, Any] = {"after": after or "0", "wait": asked if after else 0}
        answer = client().get(f"/api/v1/runs/{run}/output", query, timeout=asked + 10)
        if not answer["items"] and asked and time.monotonic() < began + PAUSE_SECONDS:
            time.sleep(PAUSE_SECONDS if answer["state"] not in ENDS else WAIT_SECONDS)
        return Page(answer["items"], str(answer["cursor"]))

    return follow
