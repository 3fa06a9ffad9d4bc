"""Whether this node takes new runs: not while a rollout is about to start its node server anew, which would cut them off.

One file says so, and until when: the node server reads it, and whoever rolls out writes it, through the node server or beside it
(`nodeserver.place`). A rollout that breaks off leaves it to run out.

Nothing slips through between the last look and the restart: a run makes its record and then looks here, a rollout closes here and
then looks for records. One of them sees the other.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from nodeward.core import clock
from nodeward.core.errors import Unavailable
from nodeward.core.files import write_atomic
from nodeward.nodeserver.runbooks import record

WAITING_SECONDS = 30.0  # while a rollout waits it says so again and again
CLOSED_SECONDS = 300.0  # files looked at, programs started, the node well again; then the rollout lifts it


class Drain:
    """The file, and the records of runs beside it."""

    def __init__(self, data: Path, now: Callable[[], int] = clock.now) -> None:
        self._path, self._runs, self._now = data / "drain.json", data / "runs", now

    def look(self, force: bool) -> list[dict[str, Any]]:
        """Take no new runs from now on. Return those under way; if there are none, or with `force`, none at all is taken.

        Until then a run that is under way may still be called for by another one: it is a part of it.
        """
        found = record.under_way(self._runs)
        if not found or force:
            self._write("closed", CLOSED_SECONDS)
            found = record.under_way(self._runs)
        if found and not force:
            self._write("waiting", WAITING_SECONDS)
        return found

    def lift(self) -> bool:
        """Take new runs again. Return whether that was refused until now."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True

    def must_take(self, called: bool) -> None:
        """Raise Unavailable if no new run may begin; `called`: as the step of another one."""
        try:
            said = json.loads(self._path.read_text())
            state, until = str(said["state"]), int(said["until"])
        except (OSError, ValueError, KeyError, TypeError):
            return
        left = until - self._now()
        if not 0 < left <= CLOSED_SECONDS * 1e6 or (called and state == "waiting"):
            return  # it ran out; one that holds for longer than any was written before the clock was set back
        when = (
            f", at {clock.rfc3339(until)[:19]}Z at the latest" if state == "closed" else ""
        )  # one that waits says so again and again
        raise Unavailable(
            f"A rollout is about to start this node server anew, so no new run begins here: try again when it is over{when}."
        )

    def _write(self, state: Literal["waiting", "closed"], seconds: float) -> None:
        write_atomic(self._path, json.dumps({"state": state, "until": self._now() + int(seconds * 1e6)}))
