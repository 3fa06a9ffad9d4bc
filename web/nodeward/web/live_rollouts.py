"""The room of rollouts: what happens in any of them, by one cursor of the config server."""

from collections.abc import Callable

from nodeward.core.client import Client
from nodeward.core.errors import BadInput
from nodeward.web.backends import Backends, items
from nodeward.web.live import Live, Page, Topic


def mount(live: Live, backends: Backends) -> None:
    """Register the kind `rollouts` (no filters)."""
    follow = rollouts_after(lambda: backends.server("configserver"))

    def rollouts(filters: dict[str, str]) -> Topic:
        if filters:
            raise BadInput("The room of rollouts has no filters.")
        return Topic("rollouts", "rollouts", "configserver", follow)

    live.register("rollouts", rollouts)


def rollouts_after(config: Callable[[], Client]) -> Callable[[str | None, float], Page]:
    """Return what follows the config server's `rollouts/events?after=&wait=`. What an event says in full is left to the page."""

    def follow(after: str | None, wait: float) -> Page:
        query = {"after": after, "wait": int(wait) if after is not None else 0}
        answer = config().get("/api/v1/rollouts/events", query, timeout=wait + 10)
        brief = [{key: value for key, value in row.items() if key not in ("diff", "detail")} for row in items(answer)]
        return Page(brief, str(answer["cursor"]), reset=bool(answer.get("reset")))

    return follow
